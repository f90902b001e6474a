#include "autograd/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <vector>

namespace avs::profile {
namespace {

using Clock = std::chrono::steady_clock;

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
  Clock::time_point last = Clock::now();
};
thread_local State state;

}  // namespace

bool on() { return detail() != Detail::None; }

void restart() { state = {}; }

void skip() { state.last = Clock::now(); }

void charge(std::string_view function, std::string_view layer, Direction direction) {
  const char* const suffix = direction == Direction::Backward ? " backward" : "";
  std::string key = fmt::format("{}{}", function, suffix);
  if (detail() == Detail::Layers && !layer.empty()) key += fmt::format("  {}", layer);
  const Clock::time_point now = Clock::now();
  Line& line = state.lines[key];
  line.seconds += std::chrono::duration<double>(now - state.last).count();
  ++line.calls;
  state.last = Clock::now();
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
