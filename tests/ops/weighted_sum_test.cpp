#include "tensor/ops/weighted_sum.h"

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

TEST(WeightedSum, CoversEveryElementOfLargeEmbeddings) {
  const int64_t n = 301, d = 1024;
  std::vector<Vector> x, w;
  std::vector<Tensor> tx, tw;
  for (uint64_t i = 0; i < 5; ++i) {
    x.push_back(reference::random_vector(n * d, i));
    w.push_back(reference::random_vector(d, 10 + i));
    tx.push_back(to_tensor(x.back(), {n, d}));
    tw.push_back(to_tensor(w.back(), {d}));
  }
  const Vector bias = reference::random_vector(d, 20);
  EXPECT_LT(relative_error(to_double(ops::weighted_sum(tx, tw, to_tensor(bias, {d}), Activation::None)),
                           reference::weighted_sum(x, w, bias)),
            1e-6);
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
