#include "layers/batch_norm.h"

#include <cmath>

#include "layers/recompute.h"
#include "tensor/holders.h"
#include "tensor/ops/concat.h"

namespace avs {
namespace {

// Makes the buffers views of `whole`, one after the other, unless they are: Module::to gives each memory of its own.
void gather(const std::vector<Buffer*>& buffers, Tensor& whole) {
  std::vector<Tensor> parts;
  int64_t first = 0;
  bool gathered = whole.defined();
  for (const Buffer* buffer : buffers) {
    const Shape shape = buffer->value.shape();
    gathered = gathered && buffer->value.raw() == whole.view(first, shape).raw();
    first += shape.size();
    parts.push_back(buffer->value);
  }
  if (gathered) return;
  const HolderScope scope("parameters");
  whole = ops::concat(parts);
  first = 0;
  for (Buffer* buffer : buffers) {
    const Shape shape = buffer->value.shape();
    buffer->value = whole.view(first, shape);
    first += shape.size();
  }
}

}  // namespace

BatchNorm::BatchNorm(int64_t channels, BatchNormSpec spec, Gamma gamma)
    : spec_(spec),
      gamma_(gamma == Gamma::One ? nullptr : &param("gamma", {channels}, Init::constant(1.0f), Decay::No)),
      beta_(param("beta", {channels}, Init::constant(0.0f), Decay::No)),
      running_mean_(buffer("running_mean", Tensor::zeros({channels}))),
      running_variance_(buffer("running_variance", Tensor::full({channels}, 1.0f))) {}

Variable BatchNorm::operator()(const std::vector<Variable>& x, const Variable& residual) {
  return as_layer(x.front().shape(), [&] {
    return batch_norm(x, gamma(), beta(), residual, {running_mean_.value, running_variance_.value}, spec_now());
  });
}

Variable BatchNorm::forward(const Variable& x) {
  return batch_norm({x}, gamma(), beta(), {}, {running_mean_.value, running_variance_.value}, spec_now());
}

BatchNormSpec BatchNorm::spec_now() const {
  BatchNormSpec spec = spec_;
  spec.moments = training() && !frozen() ? Moments::OfBatch : Moments::Running;
  if (recomputing()) spec.new_value_weight = 0;  // the first pass has moved the running moments
  return spec;
}

BatchNorm::Affine BatchNorm::inference_affine() const {
  const std::vector<float> mean = running_mean_.value.to_vector(), variance = running_variance_.value.to_vector();
  const std::vector<float> beta = beta_.variable.value().to_vector();
  Affine affine;
  affine.scale = gamma_ == nullptr ? std::vector<float>(mean.size(), 1.0f) : gamma_->variable.value().to_vector();
  affine.shift.resize(mean.size());
  for (size_t c = 0; c < mean.size(); ++c) {
    const double scale = affine.scale[c] / std::sqrt(static_cast<double>(variance[c]) + spec_.epsilon);
    affine.scale[c] = static_cast<float>(scale);
    affine.shift[c] = static_cast<float>(beta[c] - scale * mean[c]);
  }
  return affine;
}

std::vector<Variable> BatchNorm::side_by_side(const std::vector<BatchNorm*>& layers, RunningMoments& running,
                                              const std::vector<Variable>& x, const std::vector<ChannelSlice>& y) {
  std::vector<Variable> gammas, betas;
  std::vector<Buffer*> means, variances;
  for (BatchNorm* norm : layers) {
    if (norm->gamma().defined()) gammas.push_back(norm->gamma());
    betas.push_back(norm->beta());
    means.push_back(&norm->running_mean_);
    variances.push_back(&norm->running_variance_);
  }
  gather(means, running.mean);
  gather(variances, running.variance);
  return batch_norm(x, gammas.empty() ? Variable() : stack(gammas), stack(betas), {}, running, layers[0]->spec_now(),
                    y);
}

}  // namespace avs
