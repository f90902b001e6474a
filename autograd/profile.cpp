#include "autograd/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "cuda/api.h"
#include "tensor/context.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace avs::profile {
namespace {

// One thread: its CPU time, which other programs on the machine do not disturb. Several: the time that passes.
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
thread_local Timeline* timeline = nullptr;

}  // namespace

bool on() { return timeline != nullptr || detail() != Detail::None; }

void restart() { state = {}; }

void skip() { state.last = now_seconds(); }

void charge(std::string_view function, std::string_view layer, Direction direction) {
  if (timeline != nullptr) timeline->add(function, layer, direction);
  if (detail() == Detail::None) return;
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

// ---- timelines ----

struct Timeline::State {
  Device device;
  std::unique_ptr<cuda::Marks> marks;  // null on the CPU
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::vector<Span> spans;  // on a GPU their times are filled in at the end
};

Timeline::Timeline(Device device) : state_(std::make_unique<State>()) {
  AVS_CHECK(UsageError, timeline == nullptr, "a timeline is running already");
  state_->device = device;
  if (device.is_cuda()) state_->marks = cuda::make_marks(device);
  timeline = this;
}
Timeline::~Timeline() { timeline = nullptr; }

void Timeline::add(std::string_view function, std::string_view layer, Direction direction) {
  State& s = *state_;
  Span span{std::string(function), std::string(layer), direction};
  span.begin = s.spans.empty() ? 0 : s.spans.back().end;
  span.live_bytes = context(s.device).memory().live_bytes;
  if (s.marks != nullptr)
    s.marks->mark();
  else
    span.end = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - s.start).count();
  s.spans.push_back(std::move(span));
}

std::vector<Span> Timeline::spans() {
  State& s = *state_;
  if (s.marks == nullptr) return s.spans;
  const std::vector<double> ends = s.marks->microseconds();
  for (size_t i = 0; i < s.spans.size(); ++i) {
    s.spans[i].begin = i == 0 ? 0 : ends[i - 1];
    s.spans[i].end = ends[i];
  }
  return s.spans;
}

namespace {

using Json = nlohmann::ordered_json;

Json bar(const std::string& name, const char* category, double begin, double end, int row, const std::string& layer) {
  return {{"name", name},       {"cat", category}, {"ph", "X"},  {"ts", begin},
          {"dur", end - begin}, {"pid", 1},        {"tid", row}, {"args", {{"layer", layer}}}};
}

Json name_of(const char* what, int row, const std::string& name) {
  return {{"name", what}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", name}}}};
}

const char* category_of(const Span& span) { return span.direction == Direction::Forward ? "forward" : "backward"; }

}  // namespace

std::string chrome_trace(const std::vector<Span>& spans, const std::string& process) {
  Json events = {name_of("process_name", 0, process), name_of("thread_name", 1, "functions"),
                 name_of("thread_name", 2, "stages")};
  for (const Span& span : spans) {
    events.push_back(bar(span.function, category_of(span), span.begin, span.end, 1, span.layer));
    const double megabytes = static_cast<double>(span.live_bytes) / 1e6;
    events.push_back(
        {{"name", "live memory"}, {"ph", "C"}, {"ts", span.end}, {"pid", 1}, {"args", {{"MB", megabytes}}}});
  }
  const auto stage = [](const Span& span) { return span.layer.substr(0, span.layer.find('.')); };
  for (size_t first = 0; first < spans.size();) {  // neighbours of one stage and direction are one bar
    size_t end = first + 1;
    while (end < spans.size() && stage(spans[end]) == stage(spans[first]) &&
           spans[end].direction == spans[first].direction)
      ++end;
    if (!spans[first].layer.empty())
      events.push_back(
          bar(stage(spans[first]), category_of(spans[first]), spans[first].begin, spans[end - 1].end, 2, ""));
    first = end;
  }
  const Json trace = {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
  return trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace avs::profile
