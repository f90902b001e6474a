#include "tensor/ops/fusion_sums.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check(const char* op, const std::vector<Tensor>& x, const FusionParameters& p, const FusionSpec& spec) {
  const int64_t count = std::ssize(x), pictures = count - spec.sound;
  AVS_CHECK(UsageError, spec.sound >= 1 && pictures >= 1 && std::max(spec.sound, pictures) <= kMostFusionInputs, op,
            ": ", spec.sound, " of ", count, " tensors are sound; each group has 1 to ", kMostFusionInputs);
  AVS_CHECK(UsageError, spec.activation != Activation::Gelu, op, ": the activation is None or Relu, not Gelu");
  AVS_CHECK(ShapeError, x.size() == p.w.size(), op, ": got ", count, " tensors and ", p.w.size(), " weights");
  check_rows(op, "x[0]", x[0]);
  AVS_CHECK(ShapeError, x[0].shape().rank() == 2, op, ": x[0] must be [n, d], got ", x[0].shape());
  for (size_t i = 0; i < x.size(); ++i) {
    check_alike(op, "x[0]", x[0], str("x[", i, "]").c_str(), x[i]);
    check_per_channel(op, x[0], str("w[", i, "]").c_str(), p.w[i]);
  }
  for (size_t k = 0; k < 2; ++k) {
    check_per_channel(op, x[0], str("bias[", k, "]").c_str(), p.bias[k]);
    if (spec.join == FusionJoin::Sum) check_per_channel(op, x[0], str("v[", k, "]").c_str(), p.v[k]);
  }
  if (spec.join == FusionJoin::Sum) check_per_channel(op, x[0], "c", p.c);
}

Shape shape_of(const Tensor& x, const FusionSpec& spec) {
  return x.shape().with(1, x.shape()[1] * (spec.join == FusionJoin::Sum ? 1 : 2));
}

}  // namespace

Tensor fusion_sums(const std::vector<Tensor>& x, const FusionParameters& parameters, FusionSpec spec) {
  check("fusion_sums", x, parameters, spec);
  Tensor y = Tensor::empty(shape_of(x[0], spec), x[0].dtype(), x[0].device());
  y.device().is_cuda() ? cuda::fusion_sums(x, parameters, spec, y) : cpu::fusion_sums(x, parameters, spec, y);
  return y;
}

FusionGradients fusion_sums_backward(const std::vector<Tensor>& x, const FusionParameters& parameters, const Tensor& dy,
                                     FusionSpec spec) {
  check("fusion_sums_backward", x, parameters, spec);
  const Shape expected = shape_of(x[0], spec);
  AVS_CHECK(ShapeError,
            dy.defined() && dy.shape() == expected && dy.dtype() == x[0].dtype() && dy.device() == x[0].device(),
            "fusion_sums_backward: dy must be ", x[0].dtype(), " ", expected, " on ", x[0].device(), ", got ",
            dy.defined() ? str(dy.dtype(), " ", dy.shape(), " on ", dy.device()) : "an undefined tensor");
  FusionGradients gradients;
  const auto like = [](const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), t.device()); };
  for (size_t i = 0; i < x.size(); ++i) {
    gradients.dx.push_back(like(x[i]));
    gradients.of.w.push_back(like(parameters.w[i]));
  }
  for (size_t k = 0; k < 2; ++k) {
    gradients.of.bias[k] = like(parameters.bias[k]);
    if (spec.join == FusionJoin::Sum) gradients.of.v[k] = like(parameters.v[k]);
  }
  if (spec.join == FusionJoin::Sum) gradients.of.c = like(parameters.c);
  dy.device().is_cuda() ? cuda::fusion_sums_backward(x, parameters, dy, spec, gradients)
                        : cpu::fusion_sums_backward(x, parameters, dy, spec, gradients);
  return gradients;
}

}  // namespace avs::ops
