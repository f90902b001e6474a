// Mixup (Zhang et al. 2018): rows that are convex combinations of two rows of a batch.
//   y[m, ...] = lambda[m] * x[first[m], ...] + (1 - lambda[m]) * x[second[m], ...]
// Its gradient scatters each row of dy to the two rows that it was made of, in the order of m:
//   dx[r, ...] = sum over m of  (first[m] == r) lambda[m] dy[m, ...] + (second[m] == r) (1 - lambda[m]) dy[m, ...]
// Spectrograms, embeddings and labels are mixed by the same plan; tensor/ops/load_pictures.h mixes pictures. A row with
// lambda 1 is a copy, whatever its second row holds.
#pragma once

#include "tensor/tensor.h"

namespace avs {

// layers/mixup.h makes plans. Without tensors it stands for the rows as they are.
struct MixupPlan {
  Tensor first, second;  // i32 [m], rows of x
  Tensor lambda;         // f32 [m]

  bool defined() const { return lambda.defined(); }
  int64_t rows() const { return lambda.size(); }
  MixupPlan to(Device device) const;
  void copy_from(const MixupPlan& plan);  // in place; the same number of rows
};

}  // namespace avs

namespace avs::ops {
Tensor mixup(const Tensor& x, const MixupPlan& plan);                       // x f32 [n, ...] -> f32 [m, ...]
Tensor mixup_backward(const Tensor& dy, const MixupPlan& plan, int64_t n);  // dy f32 [m, ...] -> dx f32 [n, ...]
// ShapeError unless the plan lies on x's device and, where that is the CPU, names rows below x.shape()[0].
void check_plan(const char* op, const Tensor& x, const MixupPlan& plan);
}  // namespace avs::ops

// Each backend provides these. Outputs arrive allocated and checked.
namespace avs::cpu {
void mixup(const Tensor& x, const MixupPlan& plan, Tensor& y);
void mixup_backward(const Tensor& dy, const MixupPlan& plan, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void mixup(const Tensor& x, const MixupPlan& plan, Tensor& y);
void mixup_backward(const Tensor& dy, const MixupPlan& plan, Tensor& dx);
}  // namespace avs::cuda
