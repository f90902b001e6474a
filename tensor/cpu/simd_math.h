// Elementary functions that a compiler can vectorise: no branch, no table, no call. They are inline, so that they are
// compiled for the instruction set of the AVS_SIMD function that calls them.
#pragma once

#include <bit>
#include <cstdint>

namespace avs::cpu {

// exp(x) for x <= 88: 2^k * exp(r) with r in [-ln2/2, ln2/2] and a polynomial of degree 6. Relative error below 2e-7;
// below -87.3 the result is 0 (subnormals are flushed).
inline float exp_simd(float x) {
  const float low = x < -87.3f ? -87.3f : x;
  const float clamped = low > 88.0f ? 88.0f : low;
  // 1.5 * 2^23: adding it rounds to an integer and puts that into the low mantissa bits
  const float magic = 12582912.0f;
  const float shifted = clamped * 1.44269504f + magic;
  const float k = shifted - magic;
  const float r = (clamped - k * 0.693359375f) - k * -2.12194440e-4f;  // two parts of ln 2 keep the low bits
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const float power = std::bit_cast<float>((std::bit_cast<int32_t>(shifted) << 23) + (127 << 23));
  return x < -87.3f ? 0.0f : p * power;
}

// Phi(x), the normal distribution function, to 1.5e-7 absolute: Abramowitz and Stegun 7.1.26 for the tail |x|, mirrored
// by the sign. `density` receives exp(-x^2 / 2), which both the function and its derivative need. copysign replaces a
// branch on the sign, which would prevent vectorisation.
inline float normal_cdf(float x, float& density) {
  const float a = __builtin_fabsf(x);
  density = exp_simd(-0.5f * a * a);
  const float t = 1.0f / (1.0f + 0.3275911f * 0.707106781f * a);
  const float tail =
      0.5f * t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) *
      density;
  const float sign = __builtin_copysignf(1.0f, x);
  return (0.5f + 0.5f * sign) - sign * tail;  // 1 - tail or tail
}

inline float gelu_simd(float x) {
  float density;
  return x * normal_cdf(x, density);
}

inline float gelu_gradient_simd(float x) {
  float density;
  const float cdf = normal_cdf(x, density);
  return cdf + x * 0.398942280f * density;
}

}  // namespace avs::cpu
