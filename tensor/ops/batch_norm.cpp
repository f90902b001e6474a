#include "tensor/ops/batch_norm.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

using Parts = std::vector<BatchNormPart>;

void check_spec(const char* op, const BatchNormSpec& spec) {
  AVS_CHECK(UsageError, spec.activation != Activation::Gelu, op, ": the fused activation is None or Relu, not Gelu");
  AVS_CHECK(UsageError, spec.epsilon > 0.0f, op, ": epsilon must be positive, got ", spec.epsilon);
}

// `wide` ("y", "dy", …) has the part's channels from `first` on.
void check_place(const char* op, const BatchNormPart& part, const char* name, const Tensor& wide) {
  const Tensor& x = part.x;
  if (!wide.defined()) return check_alike(op, "x", x, name, wide);
  const int64_t c = x.shape()[-1], end = part.first + c;
  AVS_CHECK(ShapeError,
            wide.shape().rank() == x.shape().rank() && wide.shape().with(-1, c) == x.shape() && part.first >= 0 &&
                end <= wide.shape()[-1],
            op, ": x ", x.shape(), " cannot be channels ", part.first, " to ", end, " of ", name, " ", wide.shape());
  AVS_CHECK(ShapeError, wide.dtype() == x.dtype() && wide.device() == x.device(), op, ": x is ", x.dtype(), " on ",
            x.device(), " but ", name, " is ", wide.dtype(), " on ", wide.device());
}

enum class Running : uint8_t { Unused, Read };

void check_part(const char* op, const BatchNormPart& part, Running running) {
  const RowsShape shape = check_rows(op, "x", part.x);
  AVS_CHECK(ShapeError, shape.rows >= 1, op, ": x ", part.x.shape(), " has no values to normalise");
  if (part.gamma.defined()) check_per_channel(op, part.x, "gamma", part.gamma);
  if (running == Running::Unused) return;
  check_per_channel(op, part.x, "running_mean", part.running_mean);
  check_per_channel(op, part.x, "running_variance", part.running_variance);
}

void check_forward(const char* op, const Parts& parts, const Tensor& residual, const BatchNormSpec& spec,
                   const Tensor& y) {
  check_spec(op, spec);
  AVS_CHECK(ShapeError, !parts.empty(), op, ": no parts given");
  for (const BatchNormPart& part : parts) {
    check_part(op, part, Running::Read);
    check_per_channel(op, part.x, "beta", part.beta);
    check_place(op, part, "y", y);
  }
  if (residual.defined()) check_alike(op, "y", y, "residual", residual);
}

// And allocates what is to be written and was not given.
void check_backward(const char* op, const Parts& parts, const Tensor& y, const Tensor& dy, const BatchNormSpec& spec,
                    Running running, std::vector<BatchNormPartGradients>& gradients, const Tensor& dresidual) {
  check_spec(op, spec);
  AVS_CHECK(ShapeError, !parts.empty() && gradients.size() == parts.size(), op, ": ", parts.size(), " parts, but ",
            gradients.size(), " gradients to write");
  for (size_t i = 0; i < parts.size(); ++i) {
    const Tensor& x = parts[i].x;
    check_part(op, parts[i], running);
    check_place(op, parts[i], "dy", dy);
    if (spec.activation == Activation::Relu) check_place(op, parts[i], "y", y);
    if (running == Running::Unused) {
      check_per_channel(op, x, "mean", parts[i].mean);
      check_per_channel(op, x, "inverse_std", parts[i].inverse_std);
    }
    auto& [dx, dgamma, dbeta, wants_dx] = gradients[i];
    AVS_CHECK(UsageError, wants_dx == gradients[0].wants_dx, op, ": dx is wanted of all parts or of none");
    const Shape channels{x.shape()[-1]};
    if (wants_dx) dx = Tensor::empty(x.shape(), x.dtype(), x.device());
    if (!dbeta.defined()) dbeta = Tensor::empty(channels, DType::F32, x.device());
    if (!dgamma.defined() && parts[i].gamma.defined()) dgamma = Tensor::empty(channels, DType::F32, x.device());
    check_per_channel(op, x, "dbeta", dbeta);
    if (dgamma.defined()) check_per_channel(op, x, "dgamma", dgamma);
    AVS_CHECK(ShapeError, dgamma.defined() == parts[i].gamma.defined(), op, ": dgamma without gamma");
  }
  if (dresidual.defined()) check_alike(op, "dy", dy, "dresidual", dresidual);
}

// ---- one tensor whole, as the only part ----

// x and what is like it but for the number of channels, which must be the same here.
void check_whole(const char* op, const Tensor& x, const char* name, const Tensor& other) {
  check_rows(op, "x", x);
  check_alike(op, "x", x, name, other);
}

BatchNormGradients backward_of_whole(const char* op, Parts parts, const Tensor& y, const Tensor& dy, Residual residual,
                                     BatchNormSpec spec, decltype(&batch_norm_parts_backward) backward) {
  check_spec(op, spec);
  check_whole(op, parts[0].x, "dy", dy);
  if (spec.activation == Activation::Relu) check_whole(op, parts[0].x, "y", y);
  BatchNormGradients gradients;
  if (residual == Residual::Added && spec.activation == Activation::Relu)
    gradients.dresidual = Tensor::empty(dy.shape(), dy.dtype(), dy.device());
  std::vector<BatchNormPartGradients> of_part(1);
  backward(parts, y, dy, spec, of_part, gradients.dresidual);
  if (residual == Residual::Added && !gradients.dresidual.defined()) gradients.dresidual = dy;
  gradients.dx = of_part[0].dx;
  gradients.dgamma = of_part[0].dgamma;
  gradients.dbeta = of_part[0].dbeta;
  return gradients;
}

}  // namespace

BatchNormResult batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                           Tensor& running_mean, Tensor& running_variance, BatchNormSpec spec) {
  check_rows("batch_norm", "x", x);
  if (residual.defined()) check_whole("batch_norm", x, "residual", residual);
  Parts parts{
      {.x = x, .gamma = gamma, .beta = beta, .running_mean = running_mean, .running_variance = running_variance}};
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  batch_norm_parts(parts, residual, spec, y);
  return {y, parts[0].mean, parts[0].inverse_std};
}

BatchNormGradients batch_norm_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                                       const Tensor& inverse_std, const Tensor& dy, Residual residual,
                                       BatchNormSpec spec) {
  return backward_of_whole("batch_norm_backward", {{.x = x, .gamma = gamma, .mean = mean, .inverse_std = inverse_std}},
                           y, dy, residual, spec, batch_norm_parts_backward);
}

Tensor batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                            const Tensor& mean, const Tensor& variance, BatchNormSpec spec) {
  check_rows("batch_norm_inference", "x", x);
  if (residual.defined()) check_whole("batch_norm_inference", x, "residual", residual);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  batch_norm_parts_inference(
      {{.x = x, .gamma = gamma, .beta = beta, .running_mean = mean, .running_variance = variance}}, residual, spec, y);
  return y;
}

BatchNormGradients batch_norm_inference_backward(const Tensor& x, const Tensor& y, const Tensor& gamma,
                                                 const Tensor& mean, const Tensor& variance, const Tensor& dy,
                                                 Residual residual, BatchNormSpec spec) {
  return backward_of_whole("batch_norm_inference_backward",
                           {{.x = x, .gamma = gamma, .running_mean = mean, .running_variance = variance}}, y, dy,
                           residual, spec, batch_norm_parts_inference_backward);
}

// ---- several side by side ----

void batch_norm_parts(Parts& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y) {
  check_forward("batch_norm", parts, residual, spec, y);
  for (BatchNormPart& part : parts)
    for (Tensor* const t : {&part.mean, &part.inverse_std})
      *t = Tensor::empty({part.x.shape()[-1]}, DType::F32, y.device());
  y.device().is_cuda() ? cuda::batch_norm(parts, residual, spec, y) : cpu::batch_norm(parts, residual, spec, y);
}

void batch_norm_parts_inference(const Parts& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y) {
  check_forward("batch_norm_inference", parts, residual, spec, y);
  y.device().is_cuda() ? cuda::batch_norm_inference(parts, residual, spec, y)
                       : cpu::batch_norm_inference(parts, residual, spec, y);
}

void batch_norm_parts_backward(const Parts& parts, const Tensor& y, const Tensor& dy, BatchNormSpec spec,
                               std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  check_backward("batch_norm_backward", parts, y, dy, spec, Running::Unused, gradients, dresidual);
  dy.device().is_cuda() ? cuda::batch_norm_backward(parts, y, dy, spec, gradients, dresidual)
                        : cpu::batch_norm_backward(parts, y, dy, spec, gradients, dresidual);
}

void batch_norm_parts_inference_backward(const Parts& parts, const Tensor& y, const Tensor& dy, BatchNormSpec spec,
                                         std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  check_backward("batch_norm_inference_backward", parts, y, dy, spec, Running::Read, gradients, dresidual);
  dy.device().is_cuda() ? cuda::batch_norm_inference_backward(parts, y, dy, spec, gradients, dresidual)
                        : cpu::batch_norm_inference_backward(parts, y, dy, spec, gradients, dresidual);
}

}  // namespace avs::ops
