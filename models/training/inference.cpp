#include "models/training/inference.h"

#include "autograd/interrupt.h"
#include "autograd/variable.h"
#include "tensor/ops/softmax.h"

namespace avs {
namespace {

template <typename F>
void for_each_pair(Inference::Outputs& a, const Inference::Outputs& b, const F& f) {
  if (b.fc1024.defined()) f(a.fc1024, b.fc1024);
  f(a.logits, b.logits);
  f(a.probabilities, b.probabilities);
}

Inference::Outputs on_host(const Inference::Outputs& there) {
  Inference::Outputs here;
  for_each_pair(here, there, [](Tensor& to, const Tensor& from) { to = from.to(kCpu); });
  return here;
}

}  // namespace

Inference::Inference(Backbone& net) : net_(net) { net_.eval(); }

Inference::Outputs Inference::forward(const Samples& samples) {
  const BackboneOutput output = net_.run(samples);
  return {output.fc1024.defined() ? output.fc1024.value() : Tensor(), output.logits.value(),
          ops::softmax(output.logits.value())};
}

bool Inference::repeats(const Samples& samples) const {
  return samples_.x.defined() && samples.x.shape() == samples_.x.shape() && samples.x.dtype() == samples_.x.dtype() &&
         samples.shape() == samples_.shape() && samples.boxes.defined() == samples_.boxes.defined();
}

Inference::Outputs Inference::run(const Samples& samples) {
  const NoGrad inference;
  if (!net_.device().is_cuda()) return forward(samples);
  if (!repeats(samples)) {
    const Outputs outputs = forward(samples);
    if (graph_ == nullptr) {
      samples_ = samples;
      outputs_ = outputs;
    }
    return on_host(outputs);
  }
  if (graph_ == nullptr) {
    capture(samples);
  } else {
    send(samples);
    graph_->replay();
  }
  return on_host(outputs_);
}

void Inference::send(const Samples& samples) {
  upload_->send(samples.x, samples_.x);
  if (samples_.boxes.defined()) samples_.boxes.boxes.copy_from(samples.boxes.boxes);
}

void Inference::capture(const Samples& samples) {
  const Device device = net_.device();
  samples_.x = Tensor::empty(samples.x.shape(), samples.x.dtype(), device);
  if (samples.boxes.defined()) samples_.boxes.boxes = Tensor::empty(samples.boxes.boxes.shape(), DType::F32, device);
  for_each_pair(outputs_, Outputs(outputs_), [](Tensor& to, const Tensor& like) { to = like.clone(); });
  upload_ = cuda::upload(device, samples_.x.bytes());
  send(samples);
  const Uninterrupted whole;
  graph_ = cuda::capture(device, [this] {
    for_each_pair(outputs_, forward(samples_), [](Tensor& to, const Tensor& from) { to.copy_from(from); });
  });
}

}  // namespace avs
