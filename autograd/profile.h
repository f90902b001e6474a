// Where a step's time goes, per function and direction, on a thread that computes one thing after the other.
//
// Every function ends by entering the graph (record(), with or without one to record), and backward() runs node by
// node: so the time since the last of these events is the time of this one, and no function need know that it is
// watched. Switched on by AVS_PROFILE=ops or, a line per layer too, AVS_PROFILE=layers; off, it costs a test of a flag
// per function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace avs::profile {

enum class Direction : uint8_t { Forward, Backward };

bool on();
void restart();  // forgets everything; the clock starts now
void skip();     // the time since the last event belongs to nobody
void charge(std::string_view function, std::string_view layer, Direction direction);
std::string table(int64_t steps = 1);  // milliseconds per step, calls and share, the largest first

}  // namespace avs::profile
