#include "layers/mixup.h"

#include <numeric>
#include <vector>

namespace avs {
namespace {

struct Rows {
  std::vector<int32_t> first, second;
  std::vector<float> lambda;
  void add(int64_t a, int64_t b, double weight) {
    first.push_back(static_cast<int32_t>(a));
    second.push_back(static_cast<int32_t>(b));
    lambda.push_back(static_cast<float>(weight));
  }
};

Rows unmixed(int64_t n) {
  Rows rows;
  for (int64_t i = 0; i < n; ++i) rows.add(i, i, 1.0);
  return rows;
}

Rows author(int64_t n, double alpha, Rng& rng) {
  Rows rows = unmixed(n);
  const int64_t half = n / 2;
  for (int64_t i = 0; i < half; ++i) rows.add(i, half + i, rng.beta(alpha, alpha));
  for (int64_t i = 0; i < half; ++i) rows.add(i, half + i, rng.uniform());
  return rows;
}

Rows plain_beta(int64_t n, double alpha, Rng& rng) {
  std::vector<int64_t> partner(static_cast<size_t>(n));
  std::iota(partner.begin(), partner.end(), int64_t{0});
  rng.shuffle(partner);
  Rows rows;
  for (int64_t i = 0; i < n; ++i) rows.add(i, partner[static_cast<size_t>(i)], rng.beta(alpha, alpha));
  return rows;
}

Rows rows_of(int64_t n, MixupOptions options, Rng& rng) {
  switch (options.scheme) {
    case MixupScheme::Author: return author(n, options.alpha, rng);
    case MixupScheme::Beta: return plain_beta(n, options.alpha, rng);
    case MixupScheme::None: break;
  }
  return unmixed(n);
}

}  // namespace

MixupPlan plan_mixup(int64_t n, MixupOptions options, Rng& rng) {
  AVS_CHECK(UsageError, n > 0, "mixup: the batch is empty");
  AVS_CHECK(UsageError, options.alpha > 0, "mixup: alpha must be above 0, got ", options.alpha);
  const Rows rows = rows_of(n, options, rng);
  const auto m = static_cast<int64_t>(rows.lambda.size());
  return {Tensor::from({m}, std::span<const int32_t>(rows.first)),
          Tensor::from({m}, std::span<const int32_t>(rows.second)),
          Tensor::from({m}, std::span<const float>(rows.lambda))};
}

MixupScheme mixup_scheme_of(std::string_view name) {
  if (name == "author") return MixupScheme::Author;
  if (name == "beta") return MixupScheme::Beta;
  if (name == "none") return MixupScheme::None;
  throw UsageError(str("mixup scheme '", name, "': expected author, beta or none"));
}

}  // namespace avs
