#include "layers/mixup.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/mixup.h"

namespace avs {
namespace {

std::vector<int32_t> rows_of(const Tensor& index) {
  return {index.data<int32_t>(), index.data<int32_t>() + index.size()};
}

TEST(Mixup, TheAuthorsSchemeKeepsTheOriginalsAndMixesTheHalvesTwice) {
  Rng rng(1);
  const MixupPlan plan = plan_mixup(6, {}, rng);
  ASSERT_EQ(plan.rows(), 12);
  const std::vector<int32_t> first = rows_of(plan.first), second = rows_of(plan.second);
  const std::vector<float> lambda = plan.lambda.to_vector();
  for (int i = 0; i < 6; ++i) {
    const auto at = static_cast<size_t>(i);
    EXPECT_EQ(first[at], i);
    EXPECT_EQ(lambda[at], 1.0f);
    EXPECT_EQ(first[6 + at], i % 3);
    EXPECT_EQ(second[6 + at], 3 + i % 3);
    EXPECT_GE(lambda[6 + at], 0.0f);
    EXPECT_LE(lambda[6 + at], 1.0f);
  }
}

TEST(Mixup, TheLastRowOfAnOddBatchOnlyStaysItself) {
  Rng rng(1);
  EXPECT_EQ(plan_mixup(7, {}, rng).rows(), 7 + 6);
  EXPECT_EQ(plan_mixup(1, {}, rng).rows(), 1);
}

TEST(Mixup, LambdasFollowTheirDistributions) {
  Rng rng(5);
  const int64_t half = 20000;
  const MixupPlan plan = plan_mixup(2 * half, {}, rng);
  const auto moments = [&](int64_t first) {
    double mean = 0, square = 0;
    for (int64_t i = first; i < first + half; ++i) {
      const auto l = static_cast<double>(plan.lambda.data<float>()[i]);
      mean += l / static_cast<double>(half);
      square += l * l / static_cast<double>(half);
    }
    return std::pair(mean, square - mean * mean);
  };
  const auto [beta_mean, beta_variance] = moments(2 * half);
  EXPECT_NEAR(beta_mean, 0.5, 0.01);
  EXPECT_NEAR(beta_variance, 1 / (4 * (2 * 0.4 + 1)), 0.003);  // the variance of Beta(a, a)
  const auto [uniform_mean, uniform_variance] = moments(3 * half);
  EXPECT_NEAR(uniform_mean, 0.5, 0.01);
  EXPECT_NEAR(uniform_variance, 1.0 / 12, 0.003);
}

TEST(Mixup, ThePlainSchemePairsEveryRowWithARowOfAShuffle) {
  Rng rng(2);
  const MixupPlan plan = plan_mixup(50, {MixupScheme::Beta, 0.4}, rng);
  ASSERT_EQ(plan.rows(), 50);
  std::vector<int32_t> partners = rows_of(plan.second);
  std::ranges::sort(partners);
  for (int32_t i = 0; i < 50; ++i) {
    EXPECT_EQ(plan.first.data<int32_t>()[i], i);
    EXPECT_EQ(partners[static_cast<size_t>(i)], i);
  }
}

TEST(Mixup, NoneLeavesTheBatchAsItIs) {
  Rng rng(2);
  const MixupPlan plan = plan_mixup(3, {MixupScheme::None, 0.4}, rng);
  const Tensor x = Tensor::from({3, 2}, std::array{1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f});
  EXPECT_EQ(ops::mixup(x, plan).to_vector(), x.to_vector());
}

TEST(Mixup, InputsAndLabelsAreMixedAlikeAndLabelsStillAddUpToOne) {
  Rng rng(3);
  const MixupPlan plan = plan_mixup(8, {}, rng);
  const reference::Vector x = reference::random_vector(8 * 5, 1);
  const reference::Vector lambda = to_double(plan.lambda);
  EXPECT_LT(relative_error(to_double(ops::mixup(to_tensor(x, {8, 5}), plan)),
                           reference::mixup(x, 5, rows_of(plan.first), rows_of(plan.second), lambda)),
            1e-6);
  Tensor labels = Tensor::zeros({8, 4});
  for (int64_t i = 0; i < 8; ++i) labels.data<float>()[i * 4 + i % 4] = 1;
  const std::vector<float> mixed = ops::mixup(labels, plan).to_vector();
  for (size_t row = 0; row < mixed.size(); row += 4)
    EXPECT_NEAR(mixed[row] + mixed[row + 1] + mixed[row + 2] + mixed[row + 3], 1.0f, 1e-6f);
}

TEST(Mixup, TheSameGeneratorGivesTheSamePlan) {
  Rng a(4), b(4), c(5);
  const MixupPlan one = plan_mixup(16, {}, a), two = plan_mixup(16, {}, b), three = plan_mixup(16, {}, c);
  EXPECT_EQ(one.lambda.to_vector(), two.lambda.to_vector());
  EXPECT_NE(one.lambda.to_vector(), three.lambda.to_vector());
}

TEST(Mixup, SaysWhatItCannotDo) {
  Rng rng(1);
  EXPECT_THAT(error_of<UsageError>([&] { plan_mixup(4, {MixupScheme::Beta, 0.0}, rng); }), testing::HasSubstr("alpha"));
  EXPECT_THAT(error_of<UsageError>([&] { plan_mixup(0, {}, rng); }), testing::HasSubstr("empty"));
  EXPECT_THAT(error_of<UsageError>([] { mixup_scheme_of("some"); }), testing::HasSubstr("author, beta or none"));
}

}  // namespace
}  // namespace avs
