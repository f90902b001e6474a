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
    for (const Shape& shape : {Shape{1, 2}, Shape{7, 31}, Shape{2, 3, 3, 5}, Shape{3, 96}, Shape{9, 17}})
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
  const Tensor y = ops::layer_norm(to_tensor(x, {4, 96}), Tensor::full({96}, 1.0f), Tensor::zeros({96}), 1e-6f).y;
  // f32 steps by 6e-5 at 1000, and so does the mean; measured 1.04e-4. E[x^2] - mean^2 would be off by 1e-1.
  EXPECT_LT(relative_error(to_double(y), reference::layer_norm(x, Vector(96, 1.0), Vector(96), 1e-6)), 3e-4);
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
