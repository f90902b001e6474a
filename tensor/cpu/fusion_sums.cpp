// The fusion sums on the CPU: weighted_sum's loops, group after group. Memory bound; a batch of embeddings lies in the
// caches.
#include "tensor/ops/fusion_sums.h"

#include "tensor/ops/concat.h"
#include "tensor/ops/weighted_sum.h"

namespace avs::cpu {
namespace {

template <typename T>
std::vector<T> group(const std::vector<T>& all, int64_t sound, size_t k) {
  return k == 0 ? std::vector<T>(all.begin(), all.begin() + sound) : std::vector<T>(all.begin() + sound, all.end());
}

std::vector<Tensor> group_sums(const std::vector<Tensor>& x, const FusionParameters& p, const FusionSpec& spec) {
  std::vector<Tensor> sums;
  for (size_t k = 0; k < 2; ++k) {
    sums.push_back(Tensor::empty(x[0].shape()));
    weighted_sum(group(x, spec.sound, k), group(p.w, spec.sound, k), p.bias[k], spec.activation, sums.back());
  }
  return sums;
}

}  // namespace

void fusion_sums(const std::vector<Tensor>& x, const FusionParameters& parameters, FusionSpec spec, Tensor& y) {
  const std::vector<Tensor> sums = group_sums(x, parameters, spec);
  if (spec.join == FusionJoin::SideBySide) return concat(sums, y);
  weighted_sum(sums, {parameters.v[0], parameters.v[1]}, parameters.c, spec.activation, y);
}

void fusion_sums_backward(const std::vector<Tensor>& x, const FusionParameters& parameters, const Tensor& dy,
                          FusionSpec spec, FusionGradients& gradients) {
  const std::vector<Tensor> sums = group_sums(x, parameters, spec);
  WeightedSumGradients joint;  // its dx: what comes down to each group
  for (size_t k = 0; k < 2; ++k) joint.dx.push_back(Tensor::empty(x[0].shape()));
  if (spec.join == FusionJoin::Sum) {
    const std::vector<Tensor> v = {parameters.v[0], parameters.v[1]};
    Tensor y = Tensor::empty(x[0].shape());
    weighted_sum(sums, v, parameters.c, spec.activation, y);
    joint.dw = {gradients.of.v[0], gradients.of.v[1]};
    joint.dbias = gradients.of.c;
    weighted_sum_backward(sums, v, y, dy, spec.activation, joint);
  } else {
    for (size_t k = 0; k < 2; ++k) slice_channels(dy, static_cast<int64_t>(k) * x[0].shape()[1], joint.dx[k]);
  }
  for (size_t k = 0; k < 2; ++k) {
    WeightedSumGradients of_group{group(gradients.dx, spec.sound, k), group(gradients.of.w, spec.sound, k),
                                  gradients.of.bias[k]};
    weighted_sum_backward(group(x, spec.sound, k), group(parameters.w, spec.sound, k), sums[k], joint.dx[k],
                          spec.activation, of_group);
  }
}

}  // namespace avs::cpu
