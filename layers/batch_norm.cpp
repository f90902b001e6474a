#include "layers/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "layers/recompute.h"

namespace avs {

BatchNorm::BatchNorm(int64_t channels, BatchNormSpec spec, Gamma gamma)
    : spec_(spec),
      gamma_(gamma == Gamma::One ? nullptr : &param("gamma", {channels}, Init::constant(1.0f), Decay::No)),
      beta_(param("beta", {channels}, Init::constant(0.0f), Decay::No)),
      running_mean_(buffer("running_mean", Tensor::zeros({channels}))),
      running_variance_(buffer("running_variance", Tensor::full({channels}, 1.0f))) {}

Variable BatchNorm::operator()(const std::vector<Variable>& x, const Variable& residual) {
  return as_layer(x.front().shape(), [&] { return normalise(x, residual); });
}

Variable BatchNorm::normalise(const std::vector<Variable>& x, const Variable& residual) {
  return batch_norm(x, gamma(), beta(), residual, running(), moments(), spec_now());
}

BatchNormSpec BatchNorm::spec_now() const {
  BatchNormSpec spec = spec_;
  if (recomputing()) spec.new_value_weight = 0;  // the first pass has moved the running moments
  return spec;
}

Variable BatchNorm::concat(const std::vector<Part>& parts) {
  if (std::ranges::none_of(parts, [](const Part& part) { return part.norm != nullptr; })) {
    std::vector<Variable> done;
    for (const Part& part : parts) done.push_back(part.x);
    return avs::concat(done);
  }
  std::vector<BatchNormOf> all;
  for (const auto& [x, norm] : parts)
    all.push_back(norm == nullptr ? BatchNormOf{x}
                                  : BatchNormOf{x, norm->gamma(), norm->beta(), norm->running(), norm->moments(),
                                                norm->spec_now()});
  return concat_batch_norms(all);
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

}  // namespace avs
