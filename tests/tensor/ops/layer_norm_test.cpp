#include "tensor/ops/layer_norm.h"

#include "tensor/parallel.h"
#include "tests/op_case.h"
#include "tests/reference/layer_norm.h"

namespace avs {
namespace {

OpCase layer_norm_case(Shape shape) {
  return {str("layer_norm ", shape),
          {shape, {shape[-1]}, {shape[-1]}},
          [](const auto& v) { return layer_norm(v[0], v[1], v[2], 0.01f); },
          [](const auto& x) { return reference::layer_norm(x[0], x[1], x[2], double{0.01f}); }};
}

TEST(LayerNorm, MatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1, 2}, Shape{7, 31}, Shape{2, 3, 3, 5}, Shape{3, 96}, Shape{9, 17}, Shape{11, 20}})
      check_op(layer_norm_case(shape), device);
}

TEST(LayerNorm, CoversEveryElementOfLargeTensors) {
  for (const auto& [rows, c] : {std::pair{4001, 96}, {501, 768}, {20011, 6}}) {
    const Vector x = reference::random_vector(int64_t{rows} * c, 3), gain = reference::random_vector(c, 4),
                 bias = reference::random_vector(c, 5);
    for (const Device device : devices())
      EXPECT_LT(relative_error(to_double(ops::layer_norm(to_tensor(x, {rows, c}, device), to_tensor(gain, {c}, device),
                                                         to_tensor(bias, {c}, device), 1e-6f)
                                             .y),
                               reference::layer_norm(x, gain, bias, double{1e-6f})),
                1e-6)
          << rows << " x " << c;
  }
}

TEST(LayerNorm, KeepsTheVarianceOfRowsFarFromZero) {
  Vector x = reference::random_vector(4 * 96, 3);
  for (double& v : x) v = static_cast<double>(static_cast<float>(v + 1000.0));
  for (const Device device : devices()) {
    const Tensor y = ops::layer_norm(to_tensor(x, {4, 96}, device), Tensor::full({96}, 1.0f, device),
                                     Tensor::zeros({96}, DType::F32, device), 1e-6f)
                         .y;
    // Near 1000, f32 values, and so the mean, are 6e-5 apart; measured 1.04e-4. E[x^2] - mean^2 would be off by 1e-1.
    EXPECT_LT(relative_error(to_double(y), reference::layer_norm(x, Vector(96, 1.0), Vector(96), 1e-6)), 3e-4)
        << device;
  }
}

void follow_the_cpu(const Shape& shape, DType dtype, double tolerance, Device device) {
  SCOPED_TRACE(str("layer_norm ", shape, " ", dtype, " on ", device));
  const Shape channels{shape[-1]};
  const Tensor x = random_tensor(shape, 1, dtype, device), dy = random_tensor(shape, 2, dtype, device);
  const Tensor gain = random_tensor(channels, 3, DType::F32, device),
               bias = random_tensor(channels, 4, DType::F32, device);
  const auto here = on_cpu_in_f32;
  const auto error = [](const Tensor& a, const Tensor& b) { return relative_error(to_double(a), to_double(b)); };
  const LayerNormResult got = ops::layer_norm(x, gain, bias, 1e-6f);
  const LayerNormResult expected = ops::layer_norm(here(x), here(gain), here(bias), 1e-6f);
  EXPECT_EQ(got.y.dtype(), dtype);
  EXPECT_LT(error(got.y, expected.y), tolerance);
  EXPECT_LT(error(got.mean, expected.mean), 1e-5);
  EXPECT_LT(error(got.inverse_std, expected.inverse_std), 1e-6);
  const LayerNormGradients g = ops::layer_norm_backward(x, gain, got.mean, got.inverse_std, dy);
  const LayerNormGradients there =
      ops::layer_norm_backward(here(x), here(gain), here(got.mean), here(got.inverse_std), here(dy));
  EXPECT_EQ(g.dx.dtype(), dtype);
  EXPECT_LT(error(g.dx, there.dx), tolerance);
  EXPECT_LT(error(g.dgain, there.dgain), 1e-5);
  EXPECT_LT(error(g.dbias, there.dbias), 1e-5);
}

// Widths that fit into registers in each way, and 9, 1032 and 1030, which do not; one shape has more rows than one
// iteration of backward's blocks.
TEST(LayerNorm, FollowsTheCpuInEveryTypeOfAGpu) {
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;  // the CPU computes in f32 only
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 1e-5}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const Shape& shape : {Shape{301, 8}, Shape{203, 40}, Shape{131, 96}, Shape{37, 384}, Shape{29, 768},
                                 Shape{21, 1024}, Shape{201, 9}, Shape{13, 1032}, Shape{7, 1030}})
        follow_the_cpu(shape, dtype, tolerance, device);
    follow_the_cpu({4200, 192}, DType::F32, 1e-5, device);
  }
}

TEST(LayerNorm, GradientsDoNotDependOnTheThreadCount) {
  const Shape shape{5000, 48};
  const Tensor x = to_tensor(reference::random_vector(shape.size(), 3), shape);
  const Tensor dy = to_tensor(reference::random_vector(shape.size(), 4), shape);
  const Tensor gain = to_tensor(reference::random_vector(48, 5), {48});
  const LayerNormResult r = ops::layer_norm(x, gain, gain, 1e-6f);
  const auto gradients = [&](int threads) {
    set_thread_count(threads);
    const LayerNormGradients g = ops::layer_norm_backward(x, gain, r.mean, r.inverse_std, dy);
    return std::vector<Vector>{to_double(g.dx), to_double(g.dgain), to_double(g.dbias)};
  };
  const int before = thread_count();
  const std::vector<Vector> one = gradients(1);
  EXPECT_EQ(gradients(3), one);
  set_thread_count(before);
}

TEST(LayerNorm, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::layer_norm(Tensor::zeros({4, 3}), Tensor::zeros({4}), Tensor::zeros({3}), 1e-6f);
              }),
              testing::HasSubstr("layer_norm: x [4, 3] has 3 channels, so gain must be [3], got [4]"));
  EXPECT_THAT(error_of<UsageError>([] {
                ops::layer_norm(Tensor::zeros({4, 3}), Tensor::zeros({3}), Tensor::zeros({3}), 0.0f);
              }),
              testing::HasSubstr("epsilon must be positive"));
  EXPECT_THAT(error_of<ShapeError>([] {
                const Tensor x = Tensor::zeros({4, 3}), c = Tensor::zeros({3});
                ops::layer_norm_backward(x, c, c, c, x);
              }),
              testing::HasSubstr("x [4, 3] has 4 rows, but mean is [3]"));
}

}  // namespace
}  // namespace avs
