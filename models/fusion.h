// The fusion network of Phase II (docs/paper.md#fusions): embeddings of frozen backbones in, class scores out. With
// x_i the embedding of backbone i, [n, D], and `*` element-wise with a learned w_i of D values:
//
//   f1, f4:  e = sum over all i of w_i * x_i + b                                                   [n, D]
//   f2, f5:  A = sum over sound of w_i * x_i + bA,  V = sum over pictures of w_i * x_i + bV,
//            e = wA * A + wV * V + b                                                               [n, D]
//   f3, f6:  A and V as above, e = [A; V]                                                          [n, 2 D]
//   all:     logits = FC(classes)(e); softmax is the loss's work
//
// f1..f3 read the FC(1024) embeddings, f4..f6 the FC(classes) outputs before softmax. A name that begins with "aud-" is
// a sound, one with "vis-" a picture; any number of inputs from one on works. With inputs of one group only, f2/f5 are
// e = wA * A + b and f3/f6 are e = A. Reconstructions, each one option: weights start at 1 / (terms of their sum)
// [ours], biases at 0; `activation` Relu puts a ReLU on every sum, as the author's older code does (the paper's text
// says linear).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/linear.h"
#include "layers/module.h"
#include "models/checkpoint.h"
#include "tensor/ops/activation.h"

namespace avs {

enum class FusionMethod : uint8_t { F1, F2, F3, F4, F5, F6 };
enum class EmbeddingLayer : uint8_t { Fc1024, Fc10 };

std::string_view name_of(FusionMethod method);         // "f1"
FusionMethod fusion_method_of(std::string_view name);  // UsageError unless f1 .. f6
std::string_view name_of(EmbeddingLayer layer);        // "fc1024", "fc10" (whatever the number of classes)
EmbeddingLayer layer_of(FusionMethod method);

struct FusionOptions {
  FusionMethod method = FusionMethod::F4;
  std::vector<std::string> inputs;  // distinct names, each beginning with aud- or vis-
  int64_t embedding_size = 0;       // D
  int64_t classes = 10;             // at least 2
  Activation activation = Activation::None;
  uint64_t seed = 1;  // draws the classifier's weights

  bool operator==(const FusionOptions&) const = default;
};

std::string to_json(const FusionOptions& options);  // for metadata["fusion"] of a checkpoint
FusionOptions fusion_options_from_json(std::string_view json);
inline constexpr const char* kFusionKey = "fusion";

class FusionNet final : public Module {
 public:
  explicit FusionNet(FusionOptions options);  // UsageError naming the option that makes no sense

  // x: one [n, D] per input, in the order of options().inputs. Returns logits [n, classes].
  Variable run(const std::vector<Variable>& x);

  const FusionOptions& options() const { return options_; }

 private:
  // One weighted sum: its own weights and bias.
  class Sum final : public Module {
   public:
    Sum(const std::vector<std::string>& terms, int64_t size, Activation activation);
    Variable run(const std::vector<Variable>& x) const;

   private:
    std::vector<Parameter*> weights_;
    Parameter* bias_;
    Activation activation_;
  };

  std::vector<Variable> group_sums(const std::vector<Variable>& x) const;  // A and V, or the one there is

  FusionOptions options_;
  std::vector<size_t> sound_, pictures_;  // indices into inputs
  Sum *all_ = nullptr, *sound_sum_ = nullptr, *picture_sum_ = nullptr, *joint_ = nullptr;
  Linear* classifier_ = nullptr;
};

// The network of a checkpoint with its weights, in inference mode. DataError when the file holds no fusion.
std::unique_ptr<FusionNet> load_fusion(const Checkpoint& checkpoint, const std::string& origin);

}  // namespace avs
