#include "audio/delta.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace avs::audio {
namespace {

// One band: x [frames, c] -> y [frames, 3c]. slope, curvature: scratch [frames, c].
AVS_SIMD void derivatives(const float* x, int64_t frames, int64_t c, float* slope, float* curvature) {
#pragma GCC ivdep
  for (int64_t i = 4 * c; i < (frames - 4) * c; ++i) {
    const float* p = x + i;
    const float pair1 = p[c] + p[-c], pair2 = p[2 * c] + p[-2 * c];
    const float pair3 = p[3 * c] + p[-3 * c], pair4 = p[4 * c] + p[-4 * c];
    slope[i] = ((p[c] - p[-c]) + 2 * (p[2 * c] - p[-2 * c]) + 3 * (p[3 * c] - p[-3 * c]) + 4 * (p[4 * c] - p[-4 * c])) *
               (1.0f / 60);
    curvature[i] = (28 * pair4 + 7 * pair3 - 8 * pair2 - 17 * pair1 - 20 * p[0]) * (1.0f / 462);
  }
}

void extend_edges(float* y, int64_t frames, int64_t c) {
  for (int64_t t = 0; t < 4; ++t) {
    std::copy_n(y + 4 * c, c, y + t * c);
    std::copy_n(y + (frames - 5) * c, c, y + (frames - 1 - t) * c);
  }
}

}  // namespace

Tensor stack_deltas(const Tensor& x) {
  AVS_CHECK(ShapeError, x.shape().rank() == 3 && x.shape()[1] >= kDeltaWidth,
            "deltas: expected [bands, frames, c] with at ", "least ", kDeltaWidth, " frames, got ", x.shape());
  const int64_t bands = x.shape()[0], frames = x.shape()[1], c = x.shape()[2];
  Tensor y = Tensor::empty({bands, frames, 3 * c});
  std::vector<float> slope(static_cast<size_t>(frames * c)), curvature(slope.size());
  for (int64_t band = 0; band < bands; ++band) {
    const float* in = x.data<float>() + band * frames * c;
    float* out = y.data<float>() + band * frames * 3 * c;
    derivatives(in, frames, c, slope.data(), curvature.data());
    extend_edges(slope.data(), frames, c);
    extend_edges(curvature.data(), frames, c);
    for (int64_t t = 0; t < frames; ++t)
      for (int64_t i = 0; i < c; ++i) {
        out[(t * 3 + 0) * c + i] = in[t * c + i];
        out[(t * 3 + 1) * c + i] = slope[static_cast<size_t>(t * c + i)];
        out[(t * 3 + 2) * c + i] = curvature[static_cast<size_t>(t * c + i)];
      }
  }
  return y;
}

}  // namespace avs::audio
