// All trainable parameters of a model in one tensor, so that an optimizer step makes one call per range instead of one
// per parameter:
//
//   values     | decaying parameters, in declaration order | the others (biases, norms), in declaration order |
//   gradients  the same layout
//
// Within each of the two parts, neighbours with the same learning_rate_factor form a range. A model has two ranges as a
// rule, four if imported layers learn more slowly than the head.
//
// The constructor moves the parameters into the arena: each Parameter's variable becomes a view with the values it had.
// The model must outlive the arena, and nobody may set_value() a parameter afterwards. Autograd records each gradient
// as a tensor of its own; gather_gradients() copies each into its place and frees that tensor at once, so that only one
// gradient exists twice at any time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "layers/module.h"
#include "tensor/no_copy.h"

namespace avs {

using NamedTensors = std::map<std::string, Tensor>;

class ParameterArena : NoCopy {
 public:
  explicit ParameterArena(Module& model);  // UsageError if the model has no trainable parameter

  struct Range {
    int64_t first, count;
    Decay decay;
    double learning_rate_factor;
  };
  const std::vector<Range>& ranges() const { return ranges_; }  // covers the arena, in order
  int64_t size() const { return values_.size(); }
  int64_t decaying_size() const { return decaying_size_; }
  Tensor& values() { return values_; }        // [size]
  Tensor& gradients() { return gradients_; }  // [size], from the last gather_gradients()

  // A parameter without a gradient gets zeros.
  void gather_gradients();
  void zero_gradients();  // forgets the gradients that autograd recorded

  // The path of the parameter that owns element `index` of the arena.
  const std::string& path_at(int64_t index) const;

  // views_of() returns a tensor laid out like values() (moments, averaged weights) as views keyed by parameter path.
  // copy_into() copies such tensors back by path; DataError lists missing and misshapen ones.
  NamedTensors views_of(const Tensor& arena, const std::string& prefix) const;
  void copy_into(Tensor& arena, const NamedTensors& tensors, const std::string& prefix) const;

 private:
  struct Slot {
    Parameter* parameter;
    int64_t first;
  };
  void extend_ranges(const Parameter& parameter);

  std::vector<Slot> slots_;
  std::vector<Range> ranges_;
  int64_t decaying_size_ = 0;
  Tensor values_, gradients_;
};

}  // namespace avs
