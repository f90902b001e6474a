// Max pooling on the CPU: memory bound, so plain loops over the contiguous channels of each window.
#include "tensor/ops/max_pool2d.h"

#include <vector>

#include "tensor/cpu/pool_window.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void keep_larger(const float* x, float* y, int64_t c) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) y[j] = x[j] > y[j] ? x[j] : y[j];
}

// keep_larger() that also stores the position: an equal later value does not replace it, so the first maximum gets the
// gradient.
AVS_SIMD void keep_larger_at(const float* x, int32_t at, float* y, int32_t* where, int64_t c) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) {
    const bool larger = x[j] > y[j];
    y[j] = larger ? x[j] : y[j];
    where[j] = larger ? at : where[j];
  }
}

AVS_SIMD void add_where(const float* dy, const int32_t* where, int32_t at, float* dx, int64_t c) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) dx[j] += where[j] == at ? dy[j] : 0.0f;
}

}  // namespace

void max_pool2d(const Tensor& x, Pool2dSpec spec, Tensor& y) {
  const auto [n, h, w, c] = as_nhwc(x.shape());
  const int64_t p_count = y.shape()[1], q_count = y.shape()[2];
  const float* from = x.data<float>();
  float* to = y.data<float>();
  parallel_for(n * p_count, 1, [=, h = h, w = w, c = c](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      const Window rows = window_at(i % p_count, spec.stride_h, spec.padding.top, spec.window_h, h);
      for (int64_t q = 0; q < q_count; ++q) {
        const Window columns = window_at(q, spec.stride_w, spec.padding.left, spec.window_w, w);
        float* const out = to + (i * q_count + q) * c;
        const float* const image = from + i / p_count * h * w * c;
        std::copy_n(image + (rows.first * w + columns.first) * c, c, out);
        for (int64_t r = rows.first; r < rows.last; ++r)
          for (int64_t s = columns.first; s < columns.last; ++s) keep_larger(image + (r * w + s) * c, out, c);
      }
    }
  });
}

void max_pool2d_backward(const Tensor& x, const Tensor& dy, Pool2dSpec spec, Tensor& dx) {
  const auto [n, h, w, c] = as_nhwc(x.shape());
  const int64_t p_count = dy.shape()[1], q_count = dy.shape()[2];
  const float *from = x.data<float>(), *upstream = dy.data<float>();
  float* to = dx.data<float>();
  dx.zero();
  // Windows overlap, so one thread handles a whole image.
  parallel_for(n, 1, [=, h = h, w = w, c = c](int64_t a, int64_t b) {
    std::vector<float> largest(static_cast<size_t>(c));
    std::vector<int32_t> where(static_cast<size_t>(c));
    for (int64_t i = a * p_count * q_count; i < b * p_count * q_count; ++i) {
      const Window rows = window_at(i / q_count % p_count, spec.stride_h, spec.padding.top, spec.window_h, h);
      const Window columns = window_at(i % q_count, spec.stride_w, spec.padding.left, spec.window_w, w);
      const int64_t image = i / (p_count * q_count) * h * w;
      std::copy_n(from + (image + rows.first * w + columns.first) * c, c, largest.data());
      std::ranges::fill(where, 0);
      for (int64_t r = rows.first, at = 0; r < rows.last; ++r)
        for (int64_t s = columns.first; s < columns.last; ++s, ++at)
          keep_larger_at(from + (image + r * w + s) * c, static_cast<int32_t>(at), largest.data(), where.data(), c);
      for (int64_t r = rows.first, at = 0; r < rows.last; ++r)
        for (int64_t s = columns.first; s < columns.last; ++s, ++at)
          add_where(upstream + i * c, where.data(), static_cast<int32_t>(at), to + (image + r * w + s) * c, c);
    }
  });
}

}  // namespace avs::cpu
