#include "tensor/ops/softmax_kl.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check(const char* op, const char* name, const Tensor& x, const Tensor& targets, float clip) {
  check_f32(op, name, x);  // the loss is f32 even if the network computes in 16 bits
  const RowsShape shape = check_rows(op, name, x);
  AVS_CHECK(ShapeError, x.shape().rank() == 2 && shape.rows >= 1, op, ": ", name, " must be [n, classes], got ",
            x.shape());
  check_alike(op, name, x, "targets", targets);
  AVS_CHECK(UsageError, clip > 0.0f && clip < 1.0f, op, ": clip must lie between 0 and 1, got ", clip);
}

}  // namespace

SoftmaxKlResult softmax_kl(const Tensor& logits, const Tensor& targets, float clip) {
  check("softmax_kl", "logits", logits, targets, clip);
  SoftmaxKlResult result{Tensor::empty({1}, logits.dtype(), logits.device()),
                         Tensor::empty(logits.shape(), logits.dtype(), logits.device())};
  logits.device().is_cuda() ? cuda::softmax_kl(logits, targets, clip, result)
                            : cpu::softmax_kl(logits, targets, clip, result);
  return result;
}

Tensor softmax_kl_backward(const Tensor& probabilities, const Tensor& targets, float clip, const Tensor& dloss) {
  check("softmax_kl_backward", "probabilities", probabilities, targets, clip);
  check_f32("softmax_kl_backward", "dloss", dloss);
  AVS_CHECK(ShapeError, dloss.size() == 1, "softmax_kl_backward: dloss must have one element, got ", dloss.shape());
  check_same_device("softmax_kl_backward", {{"probabilities", probabilities}, {"dloss", dloss}});
  Tensor dlogits = Tensor::empty(probabilities.shape(), probabilities.dtype(), probabilities.device());
  probabilities.device().is_cuda() ? cuda::softmax_kl_backward(probabilities, targets, clip, dloss, dlogits)
                                   : cpu::softmax_kl_backward(probabilities, targets, clip, dloss, dlogits);
  return dlogits;
}

}  // namespace avs::ops
