// Pooling layers, for networks that are written as a Sequence.
#pragma once

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

class MaxPool2d final : public Layer {
 public:
  explicit MaxPool2d(Pool2dSpec spec) : spec_(spec) {}

 private:
  Variable forward(const Variable& x) override { return max_pool2d(x, spec_); }
  Pool2dSpec spec_;
};

class AvgPool2d final : public Layer {
 public:
  explicit AvgPool2d(Pool2dSpec spec, PoolPadding counting = PoolPadding::Ignored) : spec_(spec), counting_(counting) {}

 private:
  Variable forward(const Variable& x) override { return avg_pool2d(x, spec_, counting_); }
  Pool2dSpec spec_;
  PoolPadding counting_;
};

}  // namespace avs
