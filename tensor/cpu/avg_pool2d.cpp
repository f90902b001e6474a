// Average pooling on the CPU: memory bound, so plain loops over the contiguous channels of each window. Backward
// gathers: each input pixel adds up the outputs whose windows cover it, so threads can share the rows.
#include "tensor/ops/avg_pool2d.h"

#include "tensor/cpu/pool_window.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void add_scaled(const float* x, float scale, float* y, int64_t c) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) y[j] += scale * x[j];
}

// 1 / the number of positions that the window's mean counts.
float weight_of(const Window& rows, const Window& columns, const Pool2dSpec& spec, PoolPadding counting) {
  const int64_t inside = (rows.last - rows.first) * (columns.last - columns.first);
  return 1.0f / static_cast<float>(counting == PoolPadding::Counted ? spec.window_h * spec.window_w : inside);
}

}  // namespace

void avg_pool2d(const Tensor& x, Pool2dSpec spec, PoolPadding counting, Tensor& y) {
  const auto [n, h, w, c] = as_nhwc(x.shape());
  const int64_t p_count = y.shape()[1], q_count = y.shape()[2];
  const float* from = x.data<float>();
  float* to = y.data<float>();
  parallel_for(n * p_count, 1, [=, h = h, w = w, c = c](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      const Window rows = window_at(i % p_count, spec.stride_h, spec.padding.top, spec.window_h, h);
      const float* const image = from + i / p_count * h * w * c;
      for (int64_t q = 0; q < q_count; ++q) {
        const Window columns = window_at(q, spec.stride_w, spec.padding.left, spec.window_w, w);
        const float weight = weight_of(rows, columns, spec, counting);
        float* const out = to + (i * q_count + q) * c;
        std::fill_n(out, c, 0.0f);
        for (int64_t r = rows.first; r < rows.last; ++r)
          for (int64_t s = columns.first; s < columns.last; ++s) add_scaled(image + (r * w + s) * c, weight, out, c);
      }
    }
  });
}

void avg_pool2d_backward(const Tensor& dy, Pool2dSpec spec, PoolPadding counting, Tensor& dx) {
  const auto [n, h, w, c] = as_nhwc(dx.shape());
  const int64_t p_count = dy.shape()[1], q_count = dy.shape()[2];
  const float* upstream = dy.data<float>();
  float* to = dx.data<float>();
  parallel_for(n * h, 1, [=, h = h, w = w, c = c](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      const Window ps = outputs_over(i % h, spec.stride_h, spec.padding.top, spec.window_h, p_count);
      for (int64_t column = 0; column < w; ++column) {
        const Window qs = outputs_over(column, spec.stride_w, spec.padding.left, spec.window_w, q_count);
        float* const out = to + (i * w + column) * c;
        std::fill_n(out, c, 0.0f);
        for (int64_t p = ps.first; p < ps.last; ++p) {
          const Window rows = window_at(p, spec.stride_h, spec.padding.top, spec.window_h, h);
          for (int64_t q = qs.first; q < qs.last; ++q) {
            const Window columns = window_at(q, spec.stride_w, spec.padding.left, spec.window_w, w);
            add_scaled(upstream + ((i / h * p_count + p) * q_count + q) * c, weight_of(rows, columns, spec, counting),
                       out, c);
          }
        }
      }
    }
  });
}

}  // namespace avs::cpu
