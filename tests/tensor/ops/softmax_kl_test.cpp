#include "tensor/ops/softmax_kl.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/softmax_kl.h"

namespace avs {
namespace {

constexpr float kClip = 1e-7f;

// Rows of soft labels; some classes are exactly 0, as after mixup of two one-hot rows.
Vector soft_labels(size_t n, size_t classes) {
  Vector t(n * classes);
  Rng rng(17);
  for (size_t r = 0; r < n; ++r) {
    const double lambda = static_cast<double>(static_cast<float>(rng.uniform()));
    t[r * classes + static_cast<size_t>(rng.below(static_cast<int64_t>(classes)))] += lambda;
    t[r * classes + static_cast<size_t>(rng.below(static_cast<int64_t>(classes)))] += 1 - lambda;
  }
  for (double& v : t) v = static_cast<double>(static_cast<float>(v));
  return t;
}

OpCase kl_case(int64_t n, int64_t classes, float clip = kClip) {
  const Vector t = soft_labels(static_cast<size_t>(n), static_cast<size_t>(classes));
  return {str("softmax_kl [", n, ", ", classes, "]"),
          {{n, classes}},
          [=](const auto& v) {
            return softmax_kl(v[0], to_tensor(t, {n, classes}, v[0].value().device()), clip);
          },
          [=](const auto& x) {
            return Vector{reference::softmax_kl(x[0], t, static_cast<size_t>(classes), double{clip})};
          }};
}

TEST(SoftmaxKl, MatchesTheOracle) {
  for (const Device device : devices()) {
    check_op(kl_case(1, 2), device);
    check_op(kl_case(6, 10), device);
    check_op(kl_case(33, 15), device);
    check_op(kl_case(33, 15, 0.05f), device);  // large enough that clipping decides the value
  }
}

// More rows than one block, and more classes than lanes of a warp.
TEST(SoftmaxKl, MatchesTheOracleOnLargeBatches) {
  for (const auto& [n, classes] : {std::pair<size_t, size_t>{4500, 2}, {40, 100}}) {
    const Shape shape{static_cast<int64_t>(n), static_cast<int64_t>(classes)};
    const Vector x = reference::random_vector(shape.size(), 5), t = soft_labels(n, classes);
    const double expected = reference::softmax_kl(x, t, classes, double{kClip});
    for (const Device device : devices()) {
      const SoftmaxKlResult r = ops::softmax_kl(to_tensor(x, shape, device), to_tensor(t, shape, device), kClip);
      EXPECT_NEAR(to_double(r.loss)[0], expected, 1e-5 * expected) << device;
      EXPECT_LT(relative_error(to_double(r.probabilities), reference::softmax(x, classes)), 1e-6) << device;
      const Tensor g = ops::softmax_kl_backward(r.probabilities, to_tensor(t, shape, device), kClip,
                                                Tensor::full({1}, 2.0f, device));
      Vector dlogits = reference::softmax(x, classes);
      for (size_t row = 0; row < n; ++row) {
        double sum = 0;
        for (size_t k = 0; k < classes; ++k) sum += std::max(t[row * classes + k], double{kClip});
        for (size_t k = 0; k < classes; ++k) {
          double& v = dlogits[row * classes + k];
          v = 2.0 / static_cast<double>(n) * (v * sum - std::max(t[row * classes + k], double{kClip}));
        }
      }
      EXPECT_LT(relative_error(to_double(g), dlogits), 1e-5) << device;
    }
  }
}

TEST(SoftmaxKl, IsZeroWhereThePredictionIsTheTarget) {
  for (const Device device : devices()) {
    const Tensor logits = to_tensor(reference::random_vector(40, 3), {4, 10}, device);
    const Tensor targets = ops::softmax_kl(logits, Tensor::zeros({4, 10}, DType::F32, device), kClip).probabilities;
    EXPECT_NEAR(to_double(ops::softmax_kl(logits, targets, kClip).loss)[0], 0.0, 1e-6) << device;
  }
}

// The logits differ by 40: p of the wrong class is 4e-18, far below the clip. The loss is log(1 / clip) for the true
// class, and in Keras the clipped class passes no gradient, so only t' of the other class remains.
TEST(SoftmaxKl, ClipsBothArgumentsAndStopsTheGradientOfClippedProbabilities) {
  for (const Device device : devices()) {
    const Tensor logits = to_tensor({40.0, 0.0}, {1, 2}, device), targets = to_tensor({0.0, 1.0}, {1, 2}, device);
    const SoftmaxKlResult r = ops::softmax_kl(logits, targets, kClip);
    const double clip = double{kClip};
    EXPECT_NEAR(to_double(r.loss)[0], std::log(1.0 / clip) + clip * std::log(clip), 1e-5) << device;
    const Tensor one = Tensor::full({1}, 1.0f, device);
    const Vector g = to_double(ops::softmax_kl_backward(r.probabilities, targets, kClip, one));
    // q = (clip, 0), sum clip, p = (1, 4e-18): p * sum - q = (0, ~0) instead of the unclipped (1, -1).
    EXPECT_NEAR(g[0], 0.0, 1e-9) << device;
    EXPECT_NEAR(g[1], 0.0, 1e-9) << device;
  }
}

TEST(SoftmaxKl, ScalesWithTheUpstreamGradient) {
  for (const Device device : devices()) {
    const Tensor p = to_tensor({0.25, 0.75}, {1, 2}, device), t = to_tensor({1.0, 0.0}, {1, 2}, device);
    const Vector one = to_double(ops::softmax_kl_backward(p, t, kClip, Tensor::full({1}, 1.0f, device)));
    const Vector three = to_double(ops::softmax_kl_backward(p, t, kClip, Tensor::full({1}, 3.0f, device)));
    EXPECT_NEAR(one[0], 0.25 - 1.0, 1e-6);
    for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(three[i], 3 * one[i], 1e-6);
  }
}

TEST(SoftmaxKl, ShowsNaNInsteadOfHidingIt) {
  for (const Device device : devices()) {
    const Tensor logits = Tensor::full({1, 2}, NAN, device), targets = Tensor::full({1, 2}, 0.5f, device);
    EXPECT_TRUE(std::isnan(to_double(ops::softmax_kl(logits, targets, kClip).loss)[0])) << device;
  }
}

TEST(SoftmaxKl, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::softmax_kl(Tensor::zeros({2, 3}), Tensor::zeros({2, 4}), kClip);
              }),
              testing::HasSubstr("softmax_kl: logits is [2, 3] but targets is [2, 4]"));
  EXPECT_THAT(error_of<ShapeError>([] { ops::softmax_kl(Tensor::zeros({6}), Tensor::zeros({6}), kClip); }),
              testing::HasSubstr("logits must be [n, classes], got [6]"));
  EXPECT_THAT(error_of<UsageError>([] {
                ops::softmax_kl(Tensor::zeros({2, 3}), Tensor::zeros({2, 3}), 0.0f);
              }),
              testing::HasSubstr("clip must lie between 0 and 1, got 0"));
}

}  // namespace
}  // namespace avs
