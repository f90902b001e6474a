// A fully connected layer over the last axis:   y = x w^T + bias   (tensor/ops/linear.h)
#pragma once

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

class Linear final : public Layer {
 public:
  Linear(int64_t in, int64_t out, Init init = Init::glorot_uniform())
      : weight_(param("weight", {out, in}, init)), bias_(param("bias", {out}, Init::constant(0.0f), Decay::No)) {}

  const Variable& weight() const { return weight_.variable; }  // [out, in]
  const Variable& bias() const { return bias_.variable; }      // [out]

 private:
  Variable forward(const Variable& x) override { return linear(x, weight(), bias()); }

  Parameter& weight_;
  Parameter& bias_;
};

}  // namespace avs
