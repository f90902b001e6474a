// 2-D convolution with a learned filter, and a bias by choice (convolutions before a BatchNorm have none).
// Formula and shapes: tensor/ops/conv2d.h.
#pragma once

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

struct Filter {  // "64 filters of 1x7 over 32 channels"
  int64_t in, out;
  int64_t r = 1, s = 1;  // height, width
};

enum class Bias : uint8_t { None, Zero };  // Zero: learned, begins at zero

class Conv2d final : public Layer {
 public:
  explicit Conv2d(Filter filter, Conv2dSpec spec = {}, Bias bias = Bias::None, Init init = Init::glorot_uniform())
      : spec_(spec),
        weight_(param("weight", {filter.out, filter.r, filter.s, filter.in}, init)),
        bias_(bias == Bias::None ? nullptr : &param("bias", {filter.out}, Init::constant(0.0f), Decay::No)) {}

  const Conv2dSpec& spec() const { return spec_; }
  const Variable& weight() const { return weight_.variable; }  // [out, r, s, in]
  Variable bias() const { return bias_ == nullptr ? Variable() : bias_->variable; }

 private:
  Variable forward(const Variable& x) override { return conv2d(x, weight(), bias(), spec_); }

  Conv2dSpec spec_;
  Parameter& weight_;
  Parameter* bias_;
};

}  // namespace avs
