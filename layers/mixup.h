// Mixup (Zhang et al. 2018): training on convex combinations of samples and, with the same weights, of their labels.
//
//   Author   the batch is cut into two halves; row i of the first is mixed with row i of the second, once with
//            lambda ~ Beta(alpha, alpha), alpha = 0.4, and once with lambda ~ U(0, 1), one lambda per pair. The network
//            trains on both mixes and the originals: n rows become 2n (an odd last row only stays itself). The first
//            author's published script adds both mixes with 1 - lambda, 3n rows (docs/paper.md#training).
//
//   Beta     the plain scheme: every row is mixed with another row of a shuffle of the batch, lambda ~ Beta(alpha,
//            alpha), one lambda per row; n rows stay n
//
//   None     the batch as it is
//
// A plan says who is mixed with whom; ops::mixup carries it out for inputs (spectrograms, pixels, embeddings) and for
// labels.
#pragma once

#include <string_view>
#include <vector>

#include "tensor/ops/mixup.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace avs {

enum class MixupScheme : uint8_t { Author, Beta, None };

struct MixupOptions {
  MixupScheme scheme = MixupScheme::Author;
  double alpha = 0.4;
};

// Row m of the mixed batch is lambda[m] * row first[m] + (1 - lambda[m]) * row second[m] of the batch it came from.
struct MixupPlan {
  std::vector<int32_t> first, second;
  std::vector<float> lambda;
  int64_t rows() const { return static_cast<int64_t>(lambda.size()); }
};

MixupPlan plan_mixup(int64_t n, MixupOptions options, Rng& rng);  // UsageError unless alpha > 0 and n > 0

// x [n, ...] f32 or u8 -> [plan.rows(), ...], on x's device; `output`: what else is done on the way.
Tensor mix(const Tensor& x, const MixupPlan& plan, const MixupOutput& output = {});

MixupScheme mixup_scheme_of(std::string_view name);  // "author", "beta", "none"; UsageError otherwise

}  // namespace avs
