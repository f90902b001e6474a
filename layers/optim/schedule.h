// Learning rates as a pure function of the step: a resumed run needs no state. t counts from 0 to total - 1:
//
//   Constant    peak                                                               the paper's
//   Cosine      warm-up: peak * (t + 1) / warm, warm = warm_fraction * total;  then
//               peak / 2 * (1 + cos(pi * (t - warm) / (total - warm)))             Loshchilov and Hutter 2017
//   OneCycle    from peak / 25 up to peak over the first 30 %, down to peak / 25 / 10^4 at the last step, both by
//               a half cosine                                                      PyTorch's OneCycleLR without momentum
#pragma once

#include <cstdint>
#include <string_view>

namespace avs {

struct Schedule {
  enum class Kind : uint8_t { Constant, Cosine, OneCycle };
  Kind kind = Kind::Constant;
  double peak = 1e-4;
  int64_t total_steps = 1;
  double warm_fraction = 0.05;            // warm-up share of Cosine
  double learning_rate(int64_t t) const;  // t past the end: the rate of the last step
};

Schedule::Kind schedule_of(std::string_view name);  // "constant", "cosine", "one-cycle"; UsageError otherwise

}  // namespace avs
