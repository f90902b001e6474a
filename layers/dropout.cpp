#include "layers/dropout.h"

#include <array>
#include <bit>

namespace avs {

void RandomState::set(uint64_t seed, uint64_t step) {
  const std::array<uint64_t, 2> values = {seed, step};
  static_assert(std::endian::native == std::endian::little);  // low words first
  context(state_.device()).copy_from_host(state_.raw(), values.data(), sizeof(values));
}

Dropout::Dropout(float rate, RandomState& random) : rate_(rate), random_(random), stream_(random.next_stream()) {
  AVS_CHECK(UsageError, rate >= 0.0f && rate < 1.0f, "dropout: the rate is in [0, 1), got ", rate);
}

Variable Dropout::forward(const Variable& x) {
  if (!training() || frozen() || rate_ == 0.0f) return x;
  return dropout(x, rate_, random_.state(), stream_);
}

}  // namespace avs
