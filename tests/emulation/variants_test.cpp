// Every kernel of bench/variants computes the reference's result on the emulated device, without findings, with tails
// in every extent.
#include "bench/variants/variants.h"

#include "tests/emulation/gpu.h"
#include "tests/op_case.h"
#include "tests/reference/depthwise_conv2d.h"
#include "tests/reference/layer_norm.h"
#include "tests/reference/linear.h"

namespace avs {
namespace {

TEST(Variants, OfLayerNormAgreeWithTheDefinition) {
  for (const auto& [rows, c] : {std::pair<int64_t, int64_t>{5, 96}, {3, 33}, {2, 200}, {9, 7}, {1, 1001}}) {
    const Vector x = reference::random_vector(rows * c, 1), gain = reference::random_vector(c, 2),
                 bias = reference::random_vector(c, 3);
    const Vector expected = reference::layer_norm(x, gain, bias, 1e-6);
    for (const auto& step : variants::kLayerNorm) {
      Tensor y = Tensor::empty({rows, c}, DType::F32, kGpu);
      step.run(to_tensor(x, {rows, c}, kGpu), to_tensor(gain, {c}, kGpu), to_tensor(bias, {c}, kGpu), 1e-6f, y);
      EXPECT_LT(relative_error(to_double(y), expected), 1e-5) << step.name << " " << rows << " rows of " << c;
    }
  }
}

TEST(Variants, OfLayerNormSayWhatTheyCannotHold) {
  const Tensor x = Tensor::zeros({1, 1025}, DType::F32, kGpu), gain = Tensor::zeros({1025}, DType::F32, kGpu);
  Tensor y = Tensor::zeros({1, 1025}, DType::F32, kGpu);
  EXPECT_THAT(error_of<ShapeError>([&] { variants::layer_norm_3_row_in_registers(x, gain, gain, 1e-6f, y); }),
              testing::HasSubstr("expected at most 1024 channels, got 1025"));
}

TEST(Variants, OfDepthwiseAgreeWithTheDefinition) {
  for (const Shape& shape : {Shape{1, 9, 15, 35}, Shape{2, 7, 7, 32}, Shape{1, 2, 3, 5}}) {
    const Shape w = {7, 7, shape[-1]};
    const Vector x = reference::random_vector(shape.size(), 1), filter = reference::random_vector(w.size(), 2);
    const Vector expected = reference::depthwise_conv2d(x, as_nhwc(shape), filter, 7, 7, {}, Padding::all(3));
    for (const auto& step : variants::kDepthwise) {
      Tensor y = Tensor::empty(shape, DType::F32, kGpu);
      step.run(to_tensor(x, shape, kGpu), to_tensor(filter, w, kGpu), y);
      EXPECT_LT(relative_error(to_double(y), expected), 1e-6) << step.name << " " << shape;
    }
  }
}

TEST(Variants, OfTheMatrixProductAgreeWithTheDefinition) {
  for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1}, {33, 65, 17}, {64, 64, 32}}) {
    const Vector a = reference::random_vector(m * k, 1), b = reference::random_vector(n * k, 2);
    const Vector expected = reference::linear(a, b, {}, k, n);  // b as [n, k]: the kernels get it transposed
    Vector turned;
    for (int64_t d = 0; d < k; ++d)
      for (int64_t j = 0; j < n; ++j) turned.push_back(b[static_cast<size_t>(j * k + d)]);
    for (const auto& step : variants::kMatMul) {
      Tensor c = Tensor::empty({m, n}, DType::F32, kGpu);
      step.run(to_tensor(a, {m, k}, kGpu), to_tensor(turned, {k, n}, kGpu), c);
      EXPECT_LT(relative_error(to_double(c), expected), 1e-6) << step.name << " " << m << " x " << n << " x " << k;
    }
  }
}

}  // namespace
}  // namespace avs
