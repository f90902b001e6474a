// All trainable parameters of a model in one tensor, so that an optimizer step is a call for each of a few ranges
// instead of one per parameter:
//
//   values     | decaying parameters, in declaration order | the others (biases, norms), in declaration order |
//   gradients  the same layout
//
// Within each of the two, neighbours with one learning_rate_factor form a range, which is what an optimizer's step goes
// over: two ranges as a rule, four where imported layers learn more slowly than the head behind them.
//
// Making the arena moves the parameters into it: each Parameter's variable becomes a view, with the values it had. The
// arena owns nothing of the model; the model must outlive it, and nobody may set_value() a parameter afterwards.
// Gradients are recorded by autograd as tensors of their own; gather_gradients() copies each into its place and gives
// the tensor back at once, so that the two exist together for one parameter at a time beyond this arena.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "layers/module.h"

namespace avs {

using NamedTensors = std::map<std::string, Tensor>;

class ParameterArena {
 public:
  explicit ParameterArena(Module& model);  // UsageError when nothing in it is trainable
  ParameterArena(const ParameterArena&) = delete;
  ParameterArena& operator=(const ParameterArena&) = delete;

  struct Range {
    int64_t first, count;
    Decay decay;
    double learning_rate_factor;
  };
  const std::vector<Range>& ranges() const { return ranges_; }  // all of the arena, in order
  int64_t size() const { return values_.size(); }
  int64_t decaying_size() const { return decaying_size_; }
  Tensor& values() { return values_; }        // [size]
  Tensor& gradients() { return gradients_; }  // [size], of the last gather_gradients()

  // A parameter that received no gradient counts as zero.
  void gather_gradients();
  void zero_gradients();  // forgets what autograd recorded

  // The path of the parameter that element `index` of the arena belongs to.
  const std::string& path_at(int64_t index) const;

  // A tensor laid out like values() (an optimizer's moments, averaged weights) as views keyed by parameter path, and
  // back: copies by path; DataError lists what is missing or misshapen.
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
