#include "tensor/ops/batch_norm.h"

#include <algorithm>
#include <utility>

#include "autograd/functions.h"
#include "tensor/ops/concat.h"

namespace avs {
namespace {

// BatchNorms that normalise alike, in their places among the channels of y.
struct Group {
  Moments moments;
  BatchNormSpec spec;
  std::vector<BatchNormPart> parts = {};
  std::vector<size_t> places = {};  // which of all parts each is
};

int64_t channels_of(const Variable& x) { return x.value().defined() && x.shape().rank() > 0 ? x.shape()[-1] : 0; }

Tensor tensor_for(const std::vector<Tensor>& xs) {
  return Tensor::empty(ops::concat_shape(xs), xs.front().dtype(), xs.front().device());
}

void normalise(Group& group, const Tensor& residual, Tensor& y) {
  group.moments == Moments::OfBatch ? ops::batch_norm_parts(group.parts, residual, group.spec, y)
                                    : ops::batch_norm_parts_inference(group.parts, residual, group.spec, y);
}

void differentiate(const Group& group, const Tensor& y, const Tensor& dy,
                   std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  group.moments == Moments::OfBatch
      ? ops::batch_norm_parts_backward(group.parts, y, dy, group.spec, gradients, dresidual)
      : ops::batch_norm_parts_inference_backward(group.parts, y, dy, group.spec, gradients, dresidual);
}

// y, where its sign is the ReLU's mask.
Tensor mask_of(const Tensor& y, const BatchNormSpec& spec) {
  return spec.activation == Activation::Relu ? y : Tensor();
}

// A BatchNorm of several tensors: each has its channels of what belongs to all.
Group split(const std::vector<Variable>& x, const Variable& gamma, const Variable& beta, const RunningMoments& running,
            Moments moments, BatchNormSpec spec) {
  Group group{moments, spec};
  int64_t width = 0, first = 0;
  for (const Variable& part : x) width += channels_of(part);
  for (const Tensor& all : {gamma.value(), beta.value(), running.mean, running.variance})
    AVS_CHECK(ShapeError, x.size() == 1 || !all.defined() || all.size() == width, "batch_norm: ", x.size(),
              " parts have ", width, " channels together, gamma, beta or the running moments are ", all.shape());
  for (const Variable& part : x) {
    const int64_t c = channels_of(part);
    const auto mine = [&](const Tensor& all) { return x.size() == 1 || !all.defined() ? all : all.view(first, {c}); };
    group.parts.push_back({.x = part.value(),
                           .first = first,
                           .gamma = mine(gamma.value()),
                           .beta = mine(beta.value()),
                           .running_mean = mine(running.mean),
                           .running_variance = mine(running.variance)});
    first += c;
  }
  return group;
}

// Of a BatchNorm of one or several tensors: of each of them (unless none is needed), of gamma, of beta and of the
// residual.
std::vector<Tensor> gradients_of(const Group& group, const Tensor& y, const Tensor& dy, Residual residual,
                                 const Needs& needs) {
  const bool wants_dx = std::find(needs.begin(), needs.begin() + std::ssize(group.parts), true) !=
                        needs.begin() + std::ssize(group.parts);
  const auto per_channel = [&] { return Tensor::empty({dy.shape()[-1]}, DType::F32, dy.device()); };
  const Tensor dbeta = per_channel(), dgamma = group.parts[0].gamma.defined() ? per_channel() : Tensor();
  Tensor dresidual;
  if (residual == Residual::Added && y.defined()) dresidual = Tensor::empty(dy.shape(), dy.dtype(), dy.device());
  std::vector<BatchNormPartGradients> of_parts;
  for (const BatchNormPart& part : group.parts) {
    const auto mine = [&](const Tensor& all) {
      return all.defined() ? all.view(part.first, {part.x.shape()[-1]}) : Tensor();
    };
    of_parts.push_back({{}, mine(dgamma), mine(dbeta), wants_dx});
  }
  differentiate(group, y, dy, of_parts, dresidual);
  if (residual == Residual::Added && !dresidual.defined()) dresidual = dy;
  std::vector<Tensor> gradients;
  for (const BatchNormPartGradients& part : of_parts) gradients.push_back(part.dx);
  gradients.insert(gradients.end(), {dgamma, dbeta, dresidual});
  return gradients;
}

// ---- several BatchNorms, and tensors as they are ----

struct Copy {  // a part that is no BatchNorm
  size_t place;
  int64_t first, channels;
};

struct Parts {
  std::vector<Group> groups;
  std::vector<Copy> copies;
  size_t count;

  explicit Parts(const std::vector<BatchNormOf>& all) : count(all.size()) {
    int64_t first = 0;
    for (size_t place = 0; place < count; first += channels_of(all[place++].x)) {
      const BatchNormOf& part = all[place];
      if (!part.beta.defined()) {
        copies.push_back({place, first, channels_of(part.x)});
        continue;
      }
      Group& group = group_of(part);
      group.parts.push_back(split({part.x}, part.gamma, part.beta, part.running, part.moments, part.spec).parts[0]);
      group.parts.back().first = first;
      group.places.push_back(place);
    }
  }
  // Of x, gamma and beta of each part.
  std::vector<Tensor> gradients(const Tensor& y, const Tensor& dy) const {
    std::vector<Tensor> all(3 * count);
    for (const Copy& copy : copies) all[3 * copy.place] = ops::slice_channels(dy, copy.first, copy.channels);
    for (const Group& group : groups) {
      std::vector<BatchNormPartGradients> of_parts(group.parts.size());
      Tensor no_residual;
      differentiate(group, y, dy, of_parts, no_residual);
      for (size_t i = 0; i < of_parts.size(); ++i) {
        Tensor* const to = &all[3 * group.places[i]];
        to[0] = of_parts[i].dx;
        to[1] = of_parts[i].dgamma;
        to[2] = of_parts[i].dbeta;
      }
    }
    return all;
  }

 private:
  Group& group_of(const BatchNormOf& part) {
    for (Group& group : groups)
      if (group.moments == part.moments && group.spec == part.spec) return group;
    return groups.emplace_back(Group{part.moments, part.spec});
  }
};

}  // namespace

Variable batch_norm(const std::vector<Variable>& x, const Variable& gamma, const Variable& beta,
                    const Variable& residual, const RunningMoments& running, Moments moments, BatchNormSpec spec) {
  AVS_CHECK(ShapeError, !x.empty(), "batch_norm: no x given");
  Group group = split(x, gamma, beta, running, moments, spec);
  std::vector<Tensor> xs;
  for (const Variable& part : x) xs.push_back(part.value());
  Tensor y = tensor_for(xs);
  normalise(group, residual.value(), y);
  std::vector<Variable> inputs = x;
  inputs.insert(inputs.end(), {gamma, beta, residual});
  const Residual added = residual.defined() ? Residual::Added : Residual::None;
  return record(moments == Moments::Running ? "batch_norm_inference" : "batch_norm", inputs, y,
                [group = std::move(group), mask = mask_of(y, spec), added](const Tensor& dy, const Needs& needs) {
                  return gradients_of(group, mask, dy, added, needs);
                });
}

Variable concat_batch_norms(const std::vector<BatchNormOf>& all) {
  std::vector<Variable> inputs;
  std::vector<Tensor> xs;
  for (const BatchNormOf& part : all) {
    xs.push_back(part.x.value());
    inputs.insert(inputs.end(), {part.x, part.gamma, part.beta});
  }
  Tensor y = tensor_for(xs), mask;
  Parts parts(all);
  for (const Copy& copy : parts.copies) ops::write_channels(xs[copy.place], copy.first, y);
  for (Group& group : parts.groups) {
    normalise(group, Tensor(), y);
    if (group.spec.activation == Activation::Relu) mask = y;
  }
  return record("concat_batch_norms", inputs, y,
                [parts = std::move(parts), mask](const Tensor& dy, const Needs&) { return parts.gradients(mask, dy); });
}

}  // namespace avs
