// The time of a step, per function and direction, on a thread that computes one thing after the other.
//
// Every function ends by entering the graph (record(), with or without one to record), and backward() runs node by
// node: so the time since the last of these events is the time of this one, and no function need know that it is
// watched. Switched on by AVS_PROFILE=ops or, a line per layer too, AVS_PROFILE=layers; off, it costs a test of a flag
// per function. A Timeline watches one stretch of work, event by event, on a GPU too.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/device.h"
#include "tensor/no_copy.h"

namespace avs::profile {

enum class Direction : uint8_t { Forward, Backward };

bool on();
void restart();  // forgets everything; the clock starts now
void skip();     // the time since the last event belongs to nobody
void charge(std::string_view function, std::string_view layer, Direction direction);
std::string table(int64_t steps = 1);  // milliseconds per step, calls and share, the largest first

struct Span {  // microseconds since the timeline began
  std::string function, layer;
  Direction direction = Direction::Forward;
  double begin = 0, end = 0;
  size_t live_bytes = 0;  // allocated on the device at its end
};

// While one lives, this thread's functions are written down. On the CPU times are the clock's; on a GPU an event is
// recorded on the stream behind each function, so that what is told is when the device was done with it, not when the
// host had asked for it. One at a time and thread; nothing inside may be captured as a graph.
class Timeline : NoCopy {
 public:
  explicit Timeline(Device device);
  ~Timeline();

  std::vector<Span> spans();  // waits for the device

 private:
  friend void charge(std::string_view, std::string_view, Direction);
  void add(std::string_view function, std::string_view layer, Direction direction);
  struct State;
  std::unique_ptr<State> state_;
};

// The spans as chrome://tracing and ui.perfetto.dev open them: functions, the stages that they belong to, live memory.
std::string chrome_trace(const std::vector<Span>& spans, const std::string& process);

}  // namespace avs::profile
