// Smooth random textures: value noise on the integer lattice and sums of its octaves (Perlin 1985, with the value
// lattice of Ebert et al.). A value depends only on position and seed, so textures need no memory.
#pragma once

#include <cstdint>

namespace avs::demo {

// [0, 1), no visible pattern for neighbouring (x, y).
inline float lattice(int32_t x, int32_t y, uint32_t seed) {
  uint32_t h = seed ^ (static_cast<uint32_t>(x) * 0x8da6b343u) ^ (static_cast<uint32_t>(y) * 0xd8163841u);
  h = (h ^ (h >> 16)) * 0x7feb352du;
  h = (h ^ (h >> 15)) * 0x846ca68bu;
  return static_cast<float>((h ^ (h >> 16)) >> 8) * 0x1p-24f;
}

// std::floor costs more than the rest of noise() if the compiler may not assume SSE 4.1.
inline int32_t floor_of(float x) {
  const auto towards_zero = static_cast<int32_t>(x);
  return towards_zero - (static_cast<float>(towards_zero) > x ? 1 : 0);
}

// [0, 1), continuous, features about one unit wide.
inline float noise(float x, float y, uint32_t seed) {
  const int32_t ix = floor_of(x), iy = floor_of(y);
  const float u = x - static_cast<float>(ix), v = y - static_cast<float>(iy);
  const float su = u * u * (3 - 2 * u), sv = v * v * (3 - 2 * v);
  const auto between = [](float a, float b, float share) { return a + (b - a) * share; };
  const float top = between(lattice(ix, iy, seed), lattice(ix + 1, iy, seed), su);
  const float bottom = between(lattice(ix, iy + 1, seed), lattice(ix + 1, iy + 1, seed), su);
  return between(top, bottom, sv);
}

// Sums octaves of halved size and weight; [0, 1).
inline float clouds(float x, float y, uint32_t seed, int octaves) {
  float sum = 0, weight = 0.5f, total = 0;
  for (int octave = 0; octave < octaves; ++octave) {
    sum += weight * noise(x, y, seed + static_cast<uint32_t>(octave) * 101u);
    total += weight;
    weight *= 0.5f;
    x *= 2.03f;
    y *= 2.03f;
  }
  return sum / total;
}

}  // namespace avs::demo
