#include "tensor/ops/softmax_kl.h"

#include "autograd/functions.h"

namespace avs {

Variable softmax_kl(const Variable& logits, const Tensor& targets, float clip) {
  const SoftmaxKlResult r = ops::softmax_kl(logits.value(), targets, clip);
  return record("softmax_kl", {logits}, r.loss, [p = r.probabilities, targets, clip](const Tensor& dy, const Needs&) {
    return std::vector<Tensor>{ops::softmax_kl_backward(p, targets, clip, dy)};
  });
}

}  // namespace avs
