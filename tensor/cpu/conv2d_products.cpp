#include "tensor/cpu/conv2d_products.h"

#include <algorithm>

#include "tensor/cpu/matmul.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

// Rows of `columns` pixels, each laid into a row of `wide` pixels behind `before` zero pixels. c: floats per pixel.
Tensor widen(const Tensor& x, int64_t columns, int64_t before, int64_t wide, int64_t c) {
  const int64_t rows = x.size() / (columns * c);
  Tensor y = Tensor::empty({rows, wide, c});
  const float* from = x.data<float>();
  float* to = y.data<float>();
  parallel_for(rows, 1, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      float* const row = to + i * wide * c;
      std::fill_n(row, before * c, 0.0f);
      std::copy_n(from + i * columns * c, columns * c, row + before * c);
      std::fill_n(row + (before + columns) * c, (wide - before - columns) * c, 0.0f);
    }
  });
  return y;
}

// The output rows for which filter row r falls into the input.
struct Rows {
  int64_t first, last;
};
Rows rows_of(int64_t r, int64_t h, int64_t p, int64_t top) {
  const int64_t first = std::clamp<int64_t>(top - r, 0, p);
  return {first, std::clamp<int64_t>(h + top - r, first, p)};
}

// Pixels are counted in rows of `wide`. The last s - 1 of them would reach beyond the image for the last taps; their
// gradient is padding, hence zero, so all taps leave them out.
MatMul product_of(const Krsc& w, const Rows& rows, int64_t wide) {
  return {.m = w.k,
          .n = w.c,
          .k = (rows.last - rows.first) * wide - (w.s - 1),
          .a = Order::Transposed,
          .c_stride = w.r * w.s * w.c,
          .into = Into::Added};
}

}  // namespace

bool filter_gradient_as_products(const Shape& x, const Shape& w, const Conv2dSpec& spec) {
  if (spec.stride_h != 1 || spec.stride_w != 1 || spec.groups != 1) return false;
  const auto [k, r, s, c] = as_krsc(w);
  if (s == 1) return r > 1 && c >= 64 && k >= 16;
  const int64_t wide = x[2] + spec.padding.left + spec.padding.right;
  return c >= 256 && k >= 64 && wide * 100 <= x[2] * 107;  // the padding's share of the work
}

void conv2d_backward_filter_as_products(const Tensor& x, const Tensor& dy, const Conv2dSpec& spec, Tensor& dw) {
  const Nhwc in = as_nhwc(x.shape()), out = as_nhwc(dy.shape());
  const Krsc w = as_krsc(dw.shape());
  const int64_t wide = in.w + spec.padding.left + spec.padding.right;  // dy's rows get the same length
  const Tensor x_wide = wide == in.w ? x : widen(x, in.w, spec.padding.left, wide, in.c);
  const Tensor dy_wide = wide == out.w ? dy : widen(dy, out.w, 0, wide, out.c);
  const float *from = x_wide.data<float>(), *upstream = dy_wide.data<float>();
  dw.zero();
  for (int64_t n = 0; n < in.n; ++n)
    for (int64_t r = 0; r < w.r; ++r) {
      const Rows rows = rows_of(r, in.h, out.h, spec.padding.top);
      const MatMul product = product_of(w, rows, wide);
      if (product.k <= 0) continue;
      for (int64_t s = 0; s < w.s; ++s)
        matmul(product, upstream + (n * out.h + rows.first) * wide * w.k,
               from + ((n * in.h + rows.first + r - spec.padding.top) * wide + s) * w.c, nullptr,
               dw.data<float>() + (r * w.s + s) * w.c);
    }
}

std::string products_implementation(const Shape& x, const Shape& w, const Conv2dSpec& spec) {
  const Shape y = ops::conv2d_shape(x, w, spec);
  const int64_t wide = x[2] + spec.padding.left + spec.padding.right;
  return "products of " + matmul_implementation(product_of(as_krsc(w), rows_of(0, x[1], y[1], spec.padding.top), wide));
}

}  // namespace avs::cpu
