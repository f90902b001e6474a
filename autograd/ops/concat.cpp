#include "tensor/ops/concat.h"

#include "autograd/functions.h"

namespace avs {

Variable concat(const std::vector<Variable>& parts) {
  std::vector<Tensor> values;
  std::vector<int64_t> channels;
  for (const Variable& part : parts) {
    values.push_back(part.value());
    channels.push_back(part.value().defined() && part.shape().rank() > 0 ? part.shape()[-1] : 0);
  }
  return record("concat", parts, ops::concat(values), [channels](const Tensor& dy, const Needs& needs) {
    std::vector<Tensor> gradients(channels.size());
    int64_t first = 0;
    for (size_t i = 0; i < channels.size(); ++i) {
      if (needs[i]) gradients[i] = ops::slice_channels(dy, first, channels[i]);
      first += channels[i];
    }
    return gradients;
  });
}

}  // namespace avs
