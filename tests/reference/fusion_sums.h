#pragma once

#include "tests/reference/relu.h"
#include "tests/reference/weighted_sum.h"

namespace avs::reference {

// If c is empty, the groups are concatenated.
inline Vector fusion_sums(const std::vector<Vector>& x, const std::vector<Vector>& w, size_t sound,
                          const Vector bias[2], const Vector v[2], const Vector& c, bool with_relu) {
  const auto activated = [&](const Vector& sum) { return with_relu ? relu(sum) : sum; };
  const auto group = [&](const std::vector<Vector>& all, int k) {
    const auto middle = all.begin() + static_cast<int64_t>(sound);
    return k == 0 ? std::vector<Vector>(all.begin(), middle) : std::vector<Vector>(middle, all.end());
  };
  std::vector<Vector> sums;
  for (int k = 0; k < 2; ++k) sums.push_back(activated(weighted_sum(group(x, k), group(w, k), bias[k])));
  if (!c.empty()) return activated(weighted_sum(sums, {v[0], v[1]}, c));
  Vector y;
  const size_t d = bias[0].size();
  for (size_t row = 0; row < x[0].size() / d; ++row)
    for (const Vector& sum : sums)
      for (size_t i = 0; i < d; ++i) y.push_back(sum[row * d + i]);
  return y;
}

}  // namespace avs::reference
