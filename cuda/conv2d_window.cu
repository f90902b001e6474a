// Makes windows from shapes and a spec, and distributes their products over the device. Kernels count pixels and
// elements in 64 bits, but the extents of one image in 32.
#include <algorithm>

#include "cuda/conv2d.h"
#include "cuda/conv2d_window.cuh"

namespace avs::cuda {
namespace {

int narrow(int64_t extent) {
  AVS_CHECK(ShapeError, extent < own::kMaxConvExtent, "conv2d on a GPU: an extent of ", extent, "; it must be below ",
            own::kMaxConvExtent);
  return static_cast<int>(extent);
}

// The number of taps `first`, first + step, … below count.
int64_t taps_from(int64_t first, int64_t count, int64_t step) {
  return first < count ? (count - first - 1) / step + 1 : 0;
}

}  // namespace

Window forward_window(const Shape& x, const Shape& w, const Shape& y, const Conv2dSpec& spec) {
  return {.images = x[0],
          .in_h = narrow(x[1]),
          .in_w = narrow(x[2]),
          .in_c = narrow(x[3]),
          .grid_h = narrow(y[1]),
          .grid_w = narrow(y[2]),
          .step_h = narrow(spec.stride_h),
          .step_w = narrow(spec.stride_w),
          .first_h = -narrow(spec.padding.top),
          .first_w = -narrow(spec.padding.left),
          .tap_h = 1,
          .tap_w = 1,
          .taps_h = narrow(w[1]),
          .taps_w = narrow(w[2])};
}

// Taps r = (a + top) % stride, + stride, … reach pixel (a + stride * u) of dx, from pixel (a + top - r) / stride + u of
// dy.
Window backward_window(const Shape& x, const Shape& w, const Shape& y, const Conv2dSpec& spec, int64_t a, int64_t b) {
  const int64_t top = a + spec.padding.top, left = b + spec.padding.left;
  return {.images = x[0],
          .in_h = narrow(y[1]),
          .in_w = narrow(y[2]),
          .in_c = narrow(y[3]),
          .grid_h = narrow(taps_from(a, x[1], spec.stride_h)),
          .grid_w = narrow(taps_from(b, x[2], spec.stride_w)),
          .step_h = 1,
          .step_w = 1,
          .first_h = narrow(top / spec.stride_h),
          .first_w = narrow(left / spec.stride_w),
          .tap_h = -1,
          .tap_w = -1,
          .taps_h = narrow(taps_from(top % spec.stride_h, w[1], spec.stride_h)),
          .taps_w = narrow(taps_from(left % spec.stride_w, w[2], spec.stride_w))};
}

FilterTaps forward_taps(const Shape& w) {
  return {.of_in = 1, .of_out = w[1] * w[2] * w[3], .first = 0, .of_tap_h = w[2] * w[3], .of_tap_w = w[3]};
}

FilterTaps backward_taps(const Shape& w, const Conv2dSpec& spec, int64_t a, int64_t b) {
  const int64_t r = (a + spec.padding.top) % spec.stride_h, s = (b + spec.padding.left) % spec.stride_w;
  return {.of_in = w[1] * w[2] * w[3],
          .of_out = 1,
          .first = (r * w[2] + s) * w[3],
          .of_tap_h = spec.stride_h * w[2] * w[3],
          .of_tap_w = spec.stride_w * w[3]};
}

int64_t splits_for(int64_t tiles, int64_t steps, int64_t result_bytes, int threads, Device device) {
  constexpr int64_t kThreadsWanted = 1024, kMinSteps = 8, kMaxPartialBytes = int64_t{64} << 20;
  const int64_t blocks_wanted = facts(device).multiprocessors * (kThreadsWanted / threads);
  const int64_t wanted = std::min({blocks_wanted / tiles, steps / kMinSteps, kMaxPartialBytes / result_bytes});
  return std::clamp<int64_t>(wanted, 1, 65535);
}

}  // namespace avs::cuda
