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
// ops::mixup and ops::load_pictures carry a plan out.
#pragma once

#include <string_view>

#include "tensor/ops/mixup.h"
#include "tensor/rng.h"

namespace avs {

enum class MixupScheme : uint8_t { Author, Beta, None };

struct MixupOptions {
  MixupScheme scheme = MixupScheme::Author;
  double alpha = 0.4;
};

// For a batch of n rows, on the CPU. UsageError unless alpha > 0 and n > 0.
MixupPlan plan_mixup(int64_t n, MixupOptions options, Rng& rng);

MixupScheme mixup_scheme_of(std::string_view name);  // "author", "beta", "none"; UsageError otherwise

}  // namespace avs
