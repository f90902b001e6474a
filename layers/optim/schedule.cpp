#include "layers/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace avs {
namespace {

constexpr double kOneCycleRise = 0.3, kOneCycleStart = 25, kOneCycleEnd = 1e4;  // PyTorch's OneCycleLR defaults

// Half a cosine wave from `from` (share = 0) to `to` (share = 1).
double half_cosine(double from, double to, double share) {
  return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * share));
}

double one_cycle(double peak, double total, double t) {
  const double top = kOneCycleRise * total - 1, last = total - 1;
  const double start = peak / kOneCycleStart, end = start / kOneCycleEnd;
  if (t <= top) return half_cosine(start, peak, top <= 0 ? 1 : t / top);
  return half_cosine(peak, end, last <= top ? 1 : (t - top) / (last - top));
}

double cosine(double peak, double total, double warm, double t) {
  if (t < warm) return peak * (t + 1) / warm;
  return half_cosine(peak, 0, (t - warm) / std::max(1.0, total - warm));
}

}  // namespace

double Schedule::learning_rate(int64_t t) const {
  const double total = static_cast<double>(std::max<int64_t>(1, total_steps));
  const double at = std::min(static_cast<double>(t), total - 1);
  switch (kind) {
    case Kind::Constant: return peak;
    case Kind::Cosine: return cosine(peak, total, std::floor(warm_fraction * total), at);
    case Kind::OneCycle: return one_cycle(peak, total, at);
  }
  return peak;
}

Schedule::Kind schedule_of(std::string_view name) {
  if (name == "constant") return Schedule::Kind::Constant;
  if (name == "cosine") return Schedule::Kind::Cosine;
  if (name == "one-cycle") return Schedule::Kind::OneCycle;
  throw UsageError(str("schedule '", name, "': expected constant, cosine or one-cycle"));
}

}  // namespace avs
