#include "tensor/rng.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/op_case.h"

namespace avs {
namespace {

// The known answers for philox4x32 with 10 rounds in Random123 (kat_vectors).
TEST(Rng, PhiloxGivesItsKnownAnswers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox(0, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, UnitFloatsStayBelowOne) {
  EXPECT_EQ(to_unit_float(0), 0.0f);
  EXPECT_LT(to_unit_float(0xffffffff), 1.0f);
}

TEST(Rng, ForksAreIndependentAndDoNotMoveTheirParent) {
  Rng rng(7);
  const uint64_t expected = Rng(7).next();
  std::set<uint64_t> firsts = {expected};
  for (const char* purpose : {"dropout", "mixup", "shuffle"})
    for (uint64_t index = 0; index < 100; ++index) firsts.insert(rng.fork(purpose, index).next());
  firsts.insert(rng.fork("dropout").fork("mixup").next());
  firsts.insert(rng.fork("mixup").fork("dropout").next());
  EXPECT_EQ(firsts.size(), 303u);
  EXPECT_EQ(rng.next(), expected);
  EXPECT_EQ(rng.fork("epoch", 7).next(), Rng(7).fork("epoch", 7).next());
}

struct MeanAndVariance {
  double mean, variance;
};

template <typename Draw>
MeanAndVariance of(Draw draw) {
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / kDraws;
  return {mean, squares / kDraws - mean * mean};
}

TEST(Rng, DrawsFromTheNamedDistributions) {
  Rng rng(11);
  const auto uniform = of([&] { return rng.uniform(); });
  EXPECT_NEAR(uniform.mean, 0.5, 0.003);
  EXPECT_NEAR(uniform.variance, 1.0 / 12, 0.001);
  const auto normal = of([&] { return rng.normal(); });
  EXPECT_NEAR(normal.mean, 0.0, 0.01);
  EXPECT_NEAR(normal.variance, 1.0, 0.02);
  for (const double shape : {0.4, 2.5}) {
    const auto gamma = of([&] { return rng.gamma(shape); });
    EXPECT_NEAR(gamma.mean, shape, 0.02 * shape + 0.01);
    EXPECT_NEAR(gamma.variance, shape, 0.05 * shape);
  }
  for (const auto& [a, b] : {std::pair{0.4, 0.4}, {2.0, 5.0}}) {
    const auto beta = of([&, a = a, b = b] { return rng.beta(a, b); });
    EXPECT_NEAR(beta.mean, a / (a + b), 0.005);
    EXPECT_NEAR(beta.variance, a * b / ((a + b) * (a + b) * (a + b + 1)), 0.003);
  }
}

TEST(Rng, BelowCoversItsRangeEvenly) {
  Rng rng(12);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts.at(static_cast<size_t>(rng.below(7)));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(Rng, ShuffleKeepsEveryElementAndReachesEveryPlace) {
  std::vector<int> order(50), sorted(50);
  std::iota(sorted.begin(), sorted.end(), 0);
  std::set<int> seen_first;
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    order = sorted;
    Rng(seed).shuffle(order);
    seen_first.insert(order[0]);
    std::vector<int> again = order;
    std::ranges::sort(again);
    ASSERT_EQ(again, sorted);
  }
  EXPECT_EQ(seen_first.size(), 50u);
}

}  // namespace
}  // namespace avs
