#include "layers/mixup.h"

#include <numeric>

#include "tensor/holders.h"
#include "tensor/ops/mixup.h"

namespace avs {
namespace {

void add_row(MixupPlan& plan, int64_t first, int64_t second, double lambda) {
  plan.first.push_back(static_cast<int32_t>(first));
  plan.second.push_back(static_cast<int32_t>(second));
  plan.lambda.push_back(static_cast<float>(lambda));
}

MixupPlan unmixed(int64_t n) {
  MixupPlan plan;
  for (int64_t i = 0; i < n; ++i) add_row(plan, i, i, 1.0);
  return plan;
}

MixupPlan author(int64_t n, double alpha, Rng& rng) {
  MixupPlan plan = unmixed(n);
  const int64_t half = n / 2;
  for (int64_t i = 0; i < half; ++i) add_row(plan, i, half + i, rng.beta(alpha, alpha));
  for (int64_t i = 0; i < half; ++i) add_row(plan, i, half + i, rng.uniform());
  return plan;
}

MixupPlan plain_beta(int64_t n, double alpha, Rng& rng) {
  std::vector<int64_t> partner(static_cast<size_t>(n));
  std::iota(partner.begin(), partner.end(), int64_t{0});
  rng.shuffle(partner);
  MixupPlan plan;
  for (int64_t i = 0; i < n; ++i) add_row(plan, i, partner[static_cast<size_t>(i)], rng.beta(alpha, alpha));
  return plan;
}

}  // namespace

MixupPlan plan_mixup(int64_t n, MixupOptions options, Rng& rng) {
  AVS_CHECK(UsageError, n > 0, "mixup: the batch is empty");
  AVS_CHECK(UsageError, options.alpha > 0, "mixup: alpha must be above 0, got ", options.alpha);
  switch (options.scheme) {
    case MixupScheme::Author: return author(n, options.alpha, rng);
    case MixupScheme::Beta: return plain_beta(n, options.alpha, rng);
    case MixupScheme::None: break;
  }
  return unmixed(n);
}

Tensor mix(const Tensor& x, const MixupPlan& plan, const MixupOutput& output) {
  const HolderScope scope("the batch");
  const Device device = x.device();
  const auto indices = [&](const std::vector<int32_t>& rows) {
    return Tensor::from({plan.rows()}, std::span<const int32_t>(rows), device);
  };
  return ops::mixup(x, indices(plan.first), indices(plan.second),
                    Tensor::from({plan.rows()}, std::span<const float>(plan.lambda), device), output);
}

MixupScheme mixup_scheme_of(std::string_view name) {
  if (name == "author") return MixupScheme::Author;
  if (name == "beta") return MixupScheme::Beta;
  if (name == "none") return MixupScheme::None;
  throw UsageError(str("mixup scheme '", name, "': expected author, beta or none"));
}

}  // namespace avs
