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

Variable write_channels(const Variable& x, ChannelSlice y) {
  ops::write_channels(x.value(), y.first, y.whole);
  return record("write_channels", {x}, y.whole, [first = y.first, count = y.count](const Tensor& dy, const Needs&) {
    return std::vector<Tensor>{ops::slice_channels(dy, first, count)};
  });
}

Variable join(const std::vector<Variable>& slices) {
  AVS_CHECK(ShapeError, !slices.empty(), "join: no slices given");
  const Tensor& whole = slices[0].value();
  for (const Variable& slice : slices)
    AVS_CHECK(UsageError, slice.value().raw() == whole.raw(), "join: the slices are channels of different tensors");
  return record("join", slices, whole,
                [count = slices.size()](const Tensor& dy, const Needs&) { return std::vector<Tensor>(count, dy); });
}

Variable stack(const std::vector<Variable>& parts) {
  if (parts.size() == 1) return parts[0];
  std::vector<Tensor> flat;
  std::vector<int64_t> rows;
  int64_t all = 0;
  for (const Variable& part : parts) {
    AVS_CHECK(ShapeError, part.shape().with(0, 1) == parts[0].shape().with(0, 1),
              str("stack: rows of ", parts[0].shape(), " and ", part.shape()));
    flat.push_back(part.value().reshape({part.value().size()}));
    rows.push_back(part.shape()[0]);
    all += rows.back();
  }
  return record("stack", parts, ops::concat(flat).reshape(parts[0].shape().with(0, all)),
                [rows](const Tensor& dy, const Needs&) {
                  std::vector<Tensor> gradients;
                  int64_t first = 0;
                  for (const int64_t count : rows) {
                    gradients.push_back(dy.rows(first, count));
                    first += count;
                  }
                  return gradients;
                });
}

}  // namespace avs
