// The sums of a fusion function in one pass (docs/paper.md#fusions). Inputs come in two groups, sound (k = 0) and
// pictures (k = 1):
//   g_k[n,d] = a(sum over i in group k of w_i[d] * x_i[n,d] + b_k[d]),       a: the identity or ReLU
// and the groups end
//   side by side (f3, f6):   y[n, k*D + d] = g_k[n,d]                        y [n, 2 D]
//   in one more sum (f2, f5):   y[n,d] = a(sum over k of v_k[d] * g_k[n,d] + c[d])   y [n, D]
// x_i [n, D], all parameters [D]. One group alone is f1 and f4: weighted_sum.h, whose gradients these are made of.
#pragma once

#include <array>

#include "tensor/ops/activation.h"
#include "tensor/tensor.h"

namespace avs {

enum class FusionJoin : uint8_t { SideBySide, Sum };

// The first `sound` of the x belong to group 0, the others to group 1.
struct FusionSpec {
  int64_t sound = 0;
  FusionJoin join = FusionJoin::SideBySide;
  Activation activation = Activation::None;
};
constexpr int64_t kMostFusionInputs = 3;  // of a group

struct FusionParameters {
  std::vector<Tensor> w;       // one for each x
  std::array<Tensor, 2> bias;  // b_0, b_1
  std::array<Tensor, 2> v;     // these three with FusionJoin::Sum only
  Tensor c;
};

struct FusionGradients {
  std::vector<Tensor> dx;
  FusionParameters of;  // of each parameter
};

}  // namespace avs

namespace avs::ops {
Tensor fusion_sums(const std::vector<Tensor>& x, const FusionParameters& parameters, FusionSpec spec);
FusionGradients fusion_sums_backward(const std::vector<Tensor>& x, const FusionParameters& parameters, const Tensor& dy,
                                     FusionSpec spec);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void fusion_sums(const std::vector<Tensor>& x, const FusionParameters& parameters, FusionSpec spec, Tensor& y);
void fusion_sums_backward(const std::vector<Tensor>& x, const FusionParameters& parameters, const Tensor& dy,
                          FusionSpec spec, FusionGradients& gradients);
}  // namespace avs::cpu
namespace avs::cuda {
void fusion_sums(const std::vector<Tensor>& x, const FusionParameters& parameters, FusionSpec spec, Tensor& y);
void fusion_sums_backward(const std::vector<Tensor>& x, const FusionParameters& parameters, const Tensor& dy,
                          FusionSpec spec, FusionGradients& gradients);
}  // namespace avs::cuda
