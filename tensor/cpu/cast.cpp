// Conversions on the CPU: memory bound, 6 bytes an element between f32 and the 16-bit types. These conversions have no
// branches, so that they vectorise; all others go through f32.
#include "tensor/ops/cast.h"

#include <bit>

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

[[gnu::always_inline]] inline float widen_half(uint16_t half) {
  const uint32_t magnitude = half & 0x7fffu;
  const uint32_t normal = (magnitude << 13) + (112u << 23);  // exponent bias 15 to 127
  const uint32_t special = normal + (112u << 23);            // infinity and NaN: exponent 31 to 255
  const auto subnormal = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(magnitude)) * 0x1p-24f);
  const uint32_t bits = magnitude >= 0x7c00u ? special : (magnitude >= 0x0400u ? normal : subnormal);
  return std::bit_cast<float>(bits | (static_cast<uint32_t>(half & 0x8000u) << 16));
}

[[gnu::always_inline]] inline uint16_t narrow_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t magnitude = bits & 0x7fffffffu;
  // A carry out of the rounded mantissa increments the exponent, which is correct.
  const uint32_t normal = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  // Near 0.5, f32 values are 2^-24 apart, the smallest f16: the addition rounds.
  const uint32_t subnormal = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  const uint32_t large = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t half = magnitude >= 0x47800000u ? large : (magnitude >= 0x38800000u ? normal : subnormal);
  return static_cast<uint16_t>(half | (bits >> 16 & 0x8000u));
}

// The constructor of bf16 without its branch.
[[gnu::always_inline]] inline uint16_t narrow_brain(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t nan = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

AVS_SIMD void widen_halves(const f16* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = widen_half(x[i].bits);
}

AVS_SIMD void narrow_halves(const float* x, f16* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i].bits = narrow_half(x[i]);
}

AVS_SIMD void widen_brains(const bf16* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = std::bit_cast<float>(static_cast<uint32_t>(x[i].bits) << 16);
}

AVS_SIMD void narrow_brains(const float* x, bf16* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i].bits = narrow_brain(x[i]);
}

AVS_SIMD void widen_labels(const int32_t* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

AVS_SIMD void widen_pixels(const uint8_t* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i]);
}

template <typename From, typename To, typename Range>
void convert(const Tensor& x, Tensor& y, Range range) {
  const From* from = x.data<From>();
  To* to = y.data<To>();
  parallel_for(x.size(), 1 << 14, [=](int64_t a, int64_t b) { range(from + a, to + a, b - a); });
}

}  // namespace

void cast(const Tensor& x, Tensor& y) {
  if (x.dtype() == DType::F32)
    return y.dtype() == DType::BF16 ? convert<float, bf16>(x, y, narrow_brains)
                                    : convert<float, f16>(x, y, narrow_halves);
  if (y.dtype() == DType::F32) switch (x.dtype()) {
      case DType::F16: return convert<f16, float>(x, y, widen_halves);
      case DType::BF16: return convert<bf16, float>(x, y, widen_brains);
      case DType::I32: return convert<int32_t, float>(x, y, widen_labels);
      default: return convert<uint8_t, float>(x, y, widen_pixels);
    }
  Tensor between = Tensor::empty(x.shape(), DType::F32);
  cast(x, between);
  cast(between, y);
}

}  // namespace avs::cpu
