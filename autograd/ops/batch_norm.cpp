#include "tensor/ops/batch_norm.h"

#include "autograd/functions.h"

namespace avs {
namespace {

struct Saved {
  Tensor x, y, gamma;   // y only where its sign is the ReLU's mask
  Tensor mean, spread;  // the batch's inverse deviation, or the running variance
  Residual residual;
  BatchNormSpec spec;
};

Saved saved_of(const Variable& x, const Tensor& y, const Variable& gamma, const Variable& residual, const Tensor& mean,
               const Tensor& spread, BatchNormSpec spec) {
  return {x.value(), spec.activation == Activation::None ? Tensor() : y,    gamma.value(), mean,
          spread,    residual.defined() ? Residual::Added : Residual::None, spec};
}

std::vector<Tensor> as_list(BatchNormGradients g) { return {g.dx, g.dgamma, g.dbeta, g.dresidual}; }

}  // namespace

Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, const Variable& residual,
                    Tensor& running_mean, Tensor& running_variance, BatchNormSpec spec) {
  const BatchNormResult r =
      ops::batch_norm(x.value(), gamma.value(), beta.value(), residual.value(), running_mean, running_variance, spec);
  return record("batch_norm", {x, gamma, beta, residual}, r.y,
                [s = saved_of(x, r.y, gamma, residual, r.mean, r.inverse_std, spec)](const Tensor& dy, const Needs&) {
                  return as_list(ops::batch_norm_backward(s.x, s.y, s.gamma, s.mean, s.spread, dy, s.residual, s.spec));
                });
}

Variable batch_norm_inference(const Variable& x, const Variable& gamma, const Variable& beta, const Variable& residual,
                              const Tensor& mean, const Tensor& variance, BatchNormSpec spec) {
  const Tensor y =
      ops::batch_norm_inference(x.value(), gamma.value(), beta.value(), residual.value(), mean, variance, spec);
  return record(
      "batch_norm_inference", {x, gamma, beta, residual}, y,
      [s = saved_of(x, y, gamma, residual, mean, variance, spec)](const Tensor& dy, const Needs&) {
        return as_list(ops::batch_norm_inference_backward(s.x, s.y, s.gamma, s.mean, s.spread, dy, s.residual, s.spec));
      });
}

}  // namespace avs
