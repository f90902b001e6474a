// Softmax and the Kullback-Leibler divergence from soft labels, mean over the n rows, clipped as in Keras' KLDivergence
// (docs/paper.md#training):
//   p = softmax(logits),   t' = clip(t),   p' = clip(p),   loss = 1/n * sum t' * log(t' / p')
// clip() limits to [clip, 1]. The gradient is 0 if p is below clip, as in Keras. With q = t' * [p > clip]:
//   dlogits = dloss / n * (p * sum(q) - q)
// All f32: cast the logits of a network that computes in 16 bits first.
#pragma once

#include "tensor/tensor.h"

namespace avs {

struct SoftmaxKlResult {
  Tensor loss;           // [1]
  Tensor probabilities;  // [n, classes]
};

}  // namespace avs

namespace avs::ops {
SoftmaxKlResult softmax_kl(const Tensor& logits, const Tensor& targets, float clip);
Tensor softmax_kl_backward(const Tensor& probabilities, const Tensor& targets, float clip, const Tensor& dloss);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void softmax_kl(const Tensor& logits, const Tensor& targets, float clip, SoftmaxKlResult& result);
void softmax_kl_backward(const Tensor& probabilities, const Tensor& targets, float clip, const Tensor& dloss,
                         Tensor& dlogits);
}  // namespace avs::cpu
namespace avs::cuda {
void softmax_kl(const Tensor& logits, const Tensor& targets, float clip, SoftmaxKlResult& result);
void softmax_kl_backward(const Tensor& probabilities, const Tensor& targets, float clip, const Tensor& dloss,
                         Tensor& dlogits);
}  // namespace avs::cuda
