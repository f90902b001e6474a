#include "tensor/ops/weighted_sum.h"

#include "tensor/ops/cast.h"
#include "tests/op_case.h"
#include "tests/reference/relu.h"
#include "tests/reference/weighted_sum.h"

namespace avs {
namespace {

// Inputs: x_0 .. x_k-1, w_0 .. w_k-1, bias.
OpCase sum_case(int64_t n, int64_t d, size_t k, Activation activation) {
  std::vector<Shape> shapes(k, Shape{n, d});
  shapes.resize(2 * k + 1, Shape{d});
  const auto split = [k](const auto& all) {
    using List = std::decay_t<decltype(all)>;
    const auto middle = all.begin() + static_cast<int64_t>(k);
    return std::pair{List(all.begin(), middle), List(middle, all.end() - 1)};
  };
  return {.name = str("weighted_sum of ", k, " [", n, ", ", d, "]", activation == Activation::Relu ? " relu" : ""),
          .inputs = shapes,
          .engine =
              [=](const auto& v) {
                const auto [x, w] = split(v);
                return weighted_sum(x, w, v.back(), activation);
              },
          .oracle =
              [=](const auto& v) {
                const auto [x, w] = split(v);
                const Vector y = reference::weighted_sum(x, w, v.back());
                return activation == Activation::Relu ? reference::relu(y) : y;
              },
          .draw = {}};
}

TEST(WeightedSum, MatchesTheOracleForOneToFiveInputs) {
  for (const Device device : devices())
    for (const size_t k : {1, 2, 3, 5})
      for (const Activation activation : {Activation::None, Activation::Relu}) {
        check_op(sum_case(7, 10, k, activation), device);
        check_op(sum_case(3, 67, k, activation), device);
      }
}

// x, w, bias and dy for the engine and the oracle, and the gradients by their formulas.
struct Embeddings {
  std::vector<Vector> x, w;
  Vector bias, dy;
  std::vector<Tensor> tx, tw;
  Tensor tbias, tdy;

  Embeddings(size_t k, int64_t n, int64_t d, Device device, DType dtype = DType::F32)
      : bias(reference::random_vector(d, 20)), tbias(to_tensor(bias, {d}, device)) {
    const auto activation = [&](uint64_t seed, Tensor& tensor) {
      tensor = ops::cast(to_tensor(reference::random_vector(n * d, seed), {n, d}, device), dtype);
      return to_double(tensor);
    };
    for (uint64_t i = 0; i < k; ++i) {
      tx.emplace_back();
      x.push_back(activation(i, tx.back()));
      w.push_back(reference::random_vector(d, 100 + i));
      tw.push_back(to_tensor(w.back(), {d}, device));
    }
    dy = activation(200, tdy);
  }

  void check(Activation activation, double tolerance) const {
    Vector y = reference::weighted_sum(x, w, bias), g = dy;
    if (activation == Activation::Relu) y = reference::relu(y);
    const Tensor ty = ops::weighted_sum(tx, tw, tbias, activation);
    EXPECT_EQ(ty.dtype(), tx[0].dtype());
    EXPECT_LT(relative_error(to_double(ty), y), tolerance);

    const Vector sign = to_double(ty);  // the engine's own mask, so that rounding does not matter
    const WeightedSumGradients gradients = ops::weighted_sum_backward(tx, tw, ty, tdy, activation);
    const size_t d = bias.size();
    Vector dbias(d);
    for (size_t i = 0; i < g.size(); ++i) {
      if (activation == Activation::Relu && sign[i] <= 0) g[i] = 0;
      dbias[i % d] += g[i];
    }
    EXPECT_LT(relative_error(to_double(gradients.dbias), dbias), 1e-5);
    for (size_t j = 0; j < x.size(); ++j) {
      Vector dx = g, dw(d);
      for (size_t i = 0; i < g.size(); ++i) {
        dw[i % d] += g[i] * x[j][i];
        dx[i] *= w[j][i % d];
      }
      EXPECT_LT(relative_error(to_double(gradients.dx[j]), dx), tolerance) << j;
      EXPECT_LT(relative_error(to_double(gradients.dw[j]), dw), 1e-5) << j;
    }
  }
};

TEST(WeightedSum, CoversEveryElementOfLargeEmbeddings) {
  for (const Device device : devices()) {
    Embeddings(5, 301, 1024, device).check(Activation::None, 1e-6);
    Embeddings(2, 2003, 13, device).check(Activation::Relu, 1e-6);
  }
}

TEST(WeightedSum, TakesMoreInputsThanOneLaunchHolds) {
  for (const Device device : devices()) Embeddings(17, 5, 12, device).check(Activation::Relu, 1e-6);
}

TEST(WeightedSum, WorksOnShortTypes) {
  for (const auto& [device, dtype] : short_types()) {
    Embeddings(3, 301, 24, device, dtype).check(Activation::Relu, 3e-3);
    Embeddings(2, 301, 7, device, dtype).check(Activation::None, 3e-3);
  }
}

TEST(WeightedSum, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::zeros({2, 3}), w = Tensor::zeros({3});
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::weighted_sum({x, Tensor::zeros({2, 4})}, {w, w}, w, Activation::None);
              }),
              testing::HasSubstr("weighted_sum: x[0] is [2, 3] but x[1] is [2, 4]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::weighted_sum({x, x}, {w}, w, Activation::None);
              }),
              testing::HasSubstr("got 2 tensors and 1 weights"));
  EXPECT_THAT(error_of<UsageError>([&] { ops::weighted_sum({x}, {w}, w, Activation::Gelu); }),
              testing::HasSubstr("None or Relu, not Gelu"));
}

}  // namespace
}  // namespace avs
