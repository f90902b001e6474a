#include "apps/cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "models/printable.h"

namespace avs {
namespace {

constexpr std::chrono::milliseconds kBarInterval(100);
constexpr std::chrono::seconds kLineInterval(10);
constexpr int64_t kBarWidth = 24;

int terminal_columns() {
  winsize size = {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// Can the terminal clear a line? TERM=dumb (an editor's shell, a log) cannot.
bool is_drawn_on() {
  const char* const term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

}  // namespace

std::string as_clock(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::clamp(seconds, 0.0, 3.6e9)));
  const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

Progress::Progress(int64_t total, const std::string& what)
    : total_(std::max<int64_t>(total, 0)),
      what_(printable(what)),
      on_terminal_(is_drawn_on()),
      start_(Clock::now()),
      next_draw_(start_ + (on_terminal_ ? Clock::duration(kBarInterval) : Clock::duration(kLineInterval))) {}

Progress::~Progress() {
  const std::lock_guard lock(mutex_);
  if (on_terminal_)
    clear();
  else if (drawn_)
    draw();
}

void Progress::advance(int64_t steps) {
  const std::lock_guard lock(mutex_);
  done_ += steps;
  if (Clock::now() < next_draw_) return;
  draw();
  next_draw_ = Clock::now() + (on_terminal_ ? Clock::duration(kBarInterval) : Clock::duration(kLineInterval));
}

void Progress::set_note(const std::string& note) {
  const std::lock_guard lock(mutex_);
  note_ = printable(note);
}

void Progress::print(const std::string& line) {
  const std::lock_guard lock(mutex_);
  if (on_terminal_) clear();
  std::fprintf(stderr, "%s\n", message_for_people(line).c_str());
}

void Progress::clear() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

void Progress::draw() {
  const std::string line = text(std::chrono::duration<double>(Clock::now() - start_).count());
  drawn_ = true;
  if (!on_terminal_) {
    std::fprintf(stderr, "%s\n", line.c_str());
    return;
  }
  const int64_t filled = total_ == 0 ? kBarWidth : std::min(kBarWidth, done_ * kBarWidth / total_);
  const std::string bar =
      std::string(static_cast<size_t>(filled), '=') + std::string(static_cast<size_t>(kBarWidth - filled), ' ');
  // A bar that wraps cannot be cleared.
  const std::string whole = first_columns(fmt::format("[{}] {}", bar, line), terminal_columns() - 1);
  std::fprintf(stderr, "\r\x1b[K%s", whole.c_str());
  std::fflush(stderr);
}

std::string Progress::text(double elapsed_seconds) const {
  const double rate = elapsed_seconds > 0 ? static_cast<double>(done_) / elapsed_seconds : 0;
  const double left = rate > 0 ? static_cast<double>(total_ - done_) / rate : 0;
  const double percent = total_ == 0 ? 100 : 100.0 * static_cast<double>(done_) / static_cast<double>(total_);
  return fmt::format("{}: {} of {} ({:.0f} %), {:.1f}/s, {} left{}{}", what_, done_, total_, percent, rate,
                     as_clock(left), note_.empty() ? "" : ", ", note_);
}

}  // namespace avs
