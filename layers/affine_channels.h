// A fixed map per channel, y = x * scale[c] + shift[c], for pixels (u8 or f32). The constants belong to the network's
// definition: they are neither learned nor saved.
#pragma once

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

class AffineChannels final : public Layer {
 public:
  AffineChannels(const std::vector<float>& scale, const std::vector<float>& shift)
      : scale_(Tensor::from({static_cast<int64_t>(scale.size())}, std::span<const float>(scale))),
        shift_(Tensor::from({static_cast<int64_t>(shift.size())}, std::span<const float>(shift))) {}

  const Tensor& scale() const { return scale_; }
  const Tensor& shift() const { return shift_; }

 private:
  Variable forward(const Variable& x) override { return affine_channels(x, scale_, shift_); }
  void moved(Device device) override {
    scale_ = scale_.to(device);
    shift_ = shift_.to(device);
  }

  Tensor scale_, shift_;
};

}  // namespace avs
