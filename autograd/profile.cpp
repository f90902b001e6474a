#include "autograd/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <map>
#include <vector>

#include "tensor/parallel.h"

namespace avs::profile {
namespace {

// With one thread its CPU time, which other programs on the machine do not disturb; with several the time that passes.
double now_seconds() {
  timespec now{};
  clock_gettime(thread_count() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

enum class Detail : uint8_t { None, Functions, Layers };

Detail detail() {
  static const Detail chosen = [] {
    const char* const asked = std::getenv("AVS_PROFILE");
    if (asked == nullptr || *asked == '\0') return Detail::None;
    return std::string_view(asked) == "layers" ? Detail::Layers : Detail::Functions;
  }();
  return chosen;
}

struct Line {
  double seconds = 0;
  int64_t calls = 0;
};
struct State {
  std::map<std::string, Line> lines;
  double last = now_seconds();
};
thread_local State state;

}  // namespace

bool on() { return detail() != Detail::None; }

void restart() { state = {}; }

void skip() { state.last = now_seconds(); }

void charge(std::string_view function, std::string_view layer, Direction direction) {
  const char* const suffix = direction == Direction::Backward ? " backward" : "";
  std::string key = fmt::format("{}{}", function, suffix);
  if (detail() == Detail::Layers && !layer.empty()) key += fmt::format("  {}", layer);
  const double now = now_seconds();
  Line& line = state.lines[key];
  line.seconds += now - state.last;
  ++line.calls;
  state.last = now_seconds();
}

std::string table(int64_t steps) {
  double total = 0;
  std::vector<std::pair<std::string, Line>> lines(state.lines.begin(), state.lines.end());
  for (const auto& [key, line] : lines) total += line.seconds;
  std::ranges::stable_sort(lines, std::greater{}, [](const auto& item) { return item.second.seconds; });
  const double n = static_cast<double>(std::max<int64_t>(1, steps));
  std::string text = fmt::format("{:>10}  {:>6}  {:>7}  function\n", "ms/step", "share", "calls");
  for (const auto& [key, line] : lines)
    text += fmt::format("{:>10.3f}  {:>5.1f}%  {:>7.1f}  {}\n", 1e3 * line.seconds / n, 100 * line.seconds / total,
                        static_cast<double>(line.calls) / n, key);
  return text + fmt::format("{:>10.3f}  100.0%           all\n", 1e3 * total / n);
}

}  // namespace avs::profile
