// Convolution with groups, all three directions, any shape: one thread per output (forward, input) or one block per
// filter element. No network here has groups other than depthwise ones (depthwise_conv2d): this is for completeness,
// not speed.
#include "cuda/conv2d.h"
#include "cuda/device.cuh"
#include "cuda/types.h"

namespace avs::cuda::own {
namespace {

struct Extents {
  int64_t n, h, w, c;               // of x
  int64_t p, q, k;                  // of y
  int64_t r, s, in_each, out_each;  // of the filter; channels of one group
  int64_t stride_h, stride_w, top, left;
};

Extents extents(const Shape& x, const Shape& w, const Shape& y, const Conv2dSpec& spec) {
  return {x[0],
          x[1],
          x[2],
          x[3],
          y[1],
          y[2],
          y[3],
          w[1],
          w[2],
          w[3],
          w[0] / spec.groups,
          spec.stride_h,
          spec.stride_w,
          spec.padding.top,
          spec.padding.left};
}

// ---- kernels ----

template <typename T>
__global__ void grouped_conv2d_kernel(Extents e, const T* __restrict__ x, const float* __restrict__ w,
                                      const float* __restrict__ bias, bool relu, T* __restrict__ y) {
  for (int64_t at = first_item(); at < e.n * e.p * e.q * e.k; at += item_stride()) {
    const int64_t k = at % e.k, q = at / e.k % e.q, p = at / e.k / e.q % e.p, n = at / e.k / e.q / e.p;
    const int64_t first_c = k / e.out_each * e.in_each;
    float sum = bias == nullptr ? 0.0f : bias[k];
    for (int64_t r = 0; r < e.r; ++r)
      for (int64_t s = 0; s < e.s; ++s) {
        const int64_t row = p * e.stride_h + r - e.top, column = q * e.stride_w + s - e.left;
        if (row < 0 || row >= e.h || column < 0 || column >= e.w) continue;
        const T* const pixel = x + ((n * e.h + row) * e.w + column) * e.c + first_c;
        const float* const filter = w + ((k * e.r + r) * e.s + s) * e.in_each;
        for (int64_t c = 0; c < e.in_each; ++c) sum += to_float(pixel[c]) * filter[c];
      }
    y[at] = from_float<T>(relu && sum < 0.0f ? 0.0f : sum);
  }
}

template <typename T>
__global__ void grouped_conv2d_backward_input_kernel(Extents e, const float* __restrict__ w, const T* __restrict__ dy,
                                                     T* __restrict__ dx) {
  for (int64_t at = first_item(); at < e.n * e.h * e.w * e.c; at += item_stride()) {
    const int64_t c = at % e.c, column = at / e.c % e.w, row = at / e.c / e.w % e.h, n = at / e.c / e.w / e.h;
    const int64_t first_k = c / e.in_each * e.out_each;
    float sum = 0.0f;
    for (int64_t r = 0; r < e.r; ++r)
      for (int64_t s = 0; s < e.s; ++s) {
        const int64_t p = row + e.top - r, q = column + e.left - s;
        if (p < 0 || q < 0 || p % e.stride_h != 0 || q % e.stride_w != 0) continue;
        if (p / e.stride_h >= e.p || q / e.stride_w >= e.q) continue;
        const T* const pixel = dy + ((n * e.p + p / e.stride_h) * e.q + q / e.stride_w) * e.k;
        for (int64_t k = first_k; k < first_k + e.out_each; ++k)
          sum += to_float(pixel[k]) * w[((k * e.r + r) * e.s + s) * e.in_each + c % e.in_each];
      }
    dx[at] = from_float<T>(sum);
  }
}

template <typename T>
__global__ void grouped_conv2d_backward_filter_kernel(Extents e, const T* __restrict__ x, const T* __restrict__ dy,
                                                      float* __restrict__ dw) {
  const int64_t at = blockIdx.x, c = at % e.in_each, s = at / e.in_each % e.s, r = at / e.in_each / e.s % e.r;
  const int64_t k = at / e.in_each / e.s / e.r, channel = k / e.out_each * e.in_each + c;
  float sum = 0.0f;
  for (int64_t pixel = threadIdx.x; pixel < e.n * e.p * e.q; pixel += blockDim.x) {
    const int64_t q = pixel % e.q, p = pixel / e.q % e.p, n = pixel / e.q / e.p;
    const int64_t row = p * e.stride_h + r - e.top, column = q * e.stride_w + s - e.left;
    if (row < 0 || row >= e.h || column < 0 || column >= e.w) continue;
    sum += to_float(x[((n * e.h + row) * e.w + column) * e.c + channel]) * to_float(dy[pixel * e.k + k]);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) dw[at] = sum;
}

}  // namespace

// ---- entry points ----

void grouped_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation,
                    Tensor& y) {
  for_floating("conv2d", x.dtype(), [&]<typename T>() {
    launch("grouped_conv2d_kernel", grouped_conv2d_kernel<T>, over(y.size(), y.device()), y.device(),
           extents(x.shape(), w.shape(), y.shape(), spec), x.data<T>(), w.data<float>(),
           bias.defined() ? bias.data<float>() : nullptr, activation == Activation::Relu, y.data<T>());
  });
}

void grouped_conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx) {
  for_floating("conv2d_backward_input", dy.dtype(), [&]<typename T>() {
    launch("grouped_conv2d_backward_input_kernel", grouped_conv2d_backward_input_kernel<T>,
           over(dx.size(), dx.device()), dx.device(), extents(dx.shape(), w.shape(), dy.shape(), spec), w.data<float>(),
           dy.data<T>(), dx.data<T>());
  });
}

void grouped_conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw) {
  const Grid grid{.blocks = dim3(static_cast<unsigned>(dw.size())), .threads = dim3(kBlock)};
  for_floating("conv2d_backward_filter", x.dtype(), [&]<typename T>() {
    launch("grouped_conv2d_backward_filter_kernel", grouped_conv2d_backward_filter_kernel<T>, grid, dw.device(),
           extents(x.shape(), dw.shape(), dy.shape(), spec), x.data<T>(), dy.data<T>(), dw.data<float>());
  });
}

}  // namespace avs::cuda::own
