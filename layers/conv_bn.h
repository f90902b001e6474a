// A convolution without bias, the BatchNorm behind it, and the activation behind that: the brick of InceptionV3.
//
//   training:              conv2d ─ batch_norm with the ReLU in the same pass
//   inference, no graph:   one convolution. With the BatchNorm's y = scale * x + shift per output channel,
//                          relu(scale * (w . x) + shift) = relu((scale * w) . x + shift): the filter is scaled and the
//                          shift becomes a bias.
//
// The folded filter is made at the first inference and forgotten when the mode changes: whoever writes parameters in
// inference mode (load_parameters does) calls eval() again.
#pragma once

#include "layers/batch_norm.h"
#include "layers/conv2d.h"

namespace avs {

// The filter and bias that equal conv2d without bias and then channels [first, first + out) of the BatchNorm.
FixedFilter fold(const Tensor& weight, const BatchNorm::Affine& affine, int64_t first = 0);

class ConvBn final : public Layer {
 public:
  explicit ConvBn(Filter filter, Conv2dSpec conv = {}, BatchNormSpec norm = {}, Gamma gamma = Gamma::Learned);

  const Variable& filter() const { return conv_.weight(); }
  BatchNorm& norm() { return norm_; }
  // The convolution alone: norm() is for the caller to run (BatchNorm::side_by_side).
  Variable convolve(const Variable& x) {
    return as_layer(x.shape(), [&] { return conv_(x); });
  }
  bool folds(const Variable& x) const;  // is x's result one convolution, the BatchNorm folded in?

 private:
  Variable forward(const Variable& x) override;
  void mode_changed() override { folded_ = {}; }

  Conv2d& conv_;
  BatchNorm& norm_;
  FixedFilter folded_;
};

}  // namespace avs
