// Dropout (Srivastava et al. 2014), inverted: at training time y = x * keep / (1 - rate), at inference y = x.
//
// Masks come from a counter-based generator (tensor/ops/dropout.h): a mask is a pure function of (seed, step, stream,
// element), so a checkpoint needs only `seed` and `step` to continue a run bit for bit.
#pragma once

#include <span>

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

// The random state that all Dropout layers of one network share. The training loop calls set() once per step, before
// forward; backward reads it again, so it must not change until the step's gradients exist.
class RandomState {
 public:
  explicit RandomState(Device device = kCpu) : state_(Tensor::zeros({4}, DType::I32, device)) {}

  void to(Device device) { state_ = state_.to(device); }
  void set(uint64_t seed, uint64_t step);            // writes in place: captured steps keep reading the same memory
  const Tensor& state() const { return state_; }     // i32 [4] = seed low, seed high, step low, step high
  uint32_t next_stream() { return next_stream_++; }  // one per Dropout layer, in order of construction

 private:
  Tensor state_;
  uint32_t next_stream_ = 0;
};

class Dropout final : public Layer {
 public:
  // `random` must outlive the layer. UsageError unless 0 <= rate < 1.
  Dropout(float rate, RandomState& random);

 private:
  Variable forward(const Variable& x) override;

  float rate_;
  const RandomState& random_;
  uint32_t stream_;
};

}  // namespace avs
