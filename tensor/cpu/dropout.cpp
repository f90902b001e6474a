// Dropout on the CPU: bound by the ten rounds of Philox, 5 multiplications an element; vectors compute sixteen counters
// at once.
#include "tensor/ops/dropout.h"

#include <algorithm>

#include "tensor/parallel.h"
#include "tensor/rng.h"

namespace avs::cpu {
namespace {

constexpr int64_t kCounters = 256;  // computed at a time: the random bits of 1024 elements, 4 KB

// Writes philox(key, counter_high, first + i) for i = 0 .. kCounters - 1, four words each. The function equals that of
// rng.h (a test compares them), written over arrays.
[[gnu::always_inline]] inline void draw(uint64_t key, uint64_t counter_high, uint64_t first, uint32_t* words) {
#pragma omp simd
  for (int64_t i = 0; i < kCounters; ++i) {
    const uint64_t low = first + static_cast<uint64_t>(i);
    auto c0 = static_cast<uint32_t>(low), c1 = static_cast<uint32_t>(low >> 32);
    auto c2 = static_cast<uint32_t>(counter_high), c3 = static_cast<uint32_t>(counter_high >> 32);
    auto k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
      c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c1 = static_cast<uint32_t>(p1);
      c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c3 = static_cast<uint32_t>(p0);
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    words[4 * i] = c0;
    words[4 * i + 1] = c1;
    words[4 * i + 2] = c2;
    words[4 * i + 3] = c3;
  }
}

struct Mask {
  uint64_t seed, counter_high;
  float rate;
};

// Elements [first, last) of x; first is a multiple of 4 * kCounters.
AVS_SIMD void dropout_range(const float* x, float* y, int64_t first, int64_t last, Mask mask) {
  uint32_t words[4 * kCounters];
  const float scale = 1.0f / (1.0f - mask.rate);
  for (int64_t i = first; i < last; i += 4 * kCounters) {
    draw(mask.seed, mask.counter_high, static_cast<uint64_t>(i) / 4, words);
    const int64_t n = std::min(4 * kCounters, last - i);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      const float u = static_cast<float>(static_cast<int32_t>(words[k] >> 8)) * 0x1p-24f;
      y[i + k] = u < mask.rate ? 0.0f : x[i + k] * scale;
    }
  }
}

uint64_t joined(int32_t low, int32_t high) {
  return static_cast<uint64_t>(static_cast<uint32_t>(high)) << 32 | static_cast<uint32_t>(low);
}

}  // namespace

void dropout(const Tensor& x, float rate, const Tensor& state, uint32_t stream, Tensor& y) {
  const int32_t* words = state.data<int32_t>();
  const uint64_t step = joined(words[2], words[3]);
  const Mask mask{joined(words[0], words[1]), (step << 32) + stream, rate};
  const float* from = x.data<float>();
  float* to = y.data<float>();
  constexpr int64_t kDrawn = 4 * kCounters;
  const int64_t n = x.size();
  parallel_for((n + kDrawn - 1) / kDrawn, 4,
               [=](int64_t a, int64_t b) { dropout_range(from, to, a * kDrawn, std::min(n, b * kDrawn), mask); });
}

}  // namespace avs::cpu
