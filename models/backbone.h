// A backbone: one of the five networks of Phase I (docs/paper.md#what-it-does). All of them end alike:
//
//   body ─ global average pool ─ FC(1024) ─ ReLU ─ dropout ─ FC(classes)
//            `pool` [n, features]  `fc1024` [n, 1024]        `logits` [n, classes]
//
// and Phase II reads `fc1024` or `logits` as the clip's embedding. make_backbone() builds one from its options, and the
// options travel in the checkpoint's metadata, so that a file alone rebuilds its network (load_backbone).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/functions.h"
#include "layers/batch_norm.h"
#include "layers/dropout.h"
#include "layers/module.h"
#include "layers/recompute.h"
#include "models/checkpoint.h"
#include "models/modality.h"
#include "models/samples.h"
#include "tensor/ops/avg_pool2d.h"

namespace avs {

// The layers after the pool. Direct is one dense layer from the pool to the classes, as ImageNet's published classifiers
// have it; then there is no `fc1024`.
enum class HeadKind : uint8_t { Hidden1024, Direct };

struct BackboneOptions {
  std::string model;         // aud-mel, aud-gam, aud-cqt, vis-inc or vis-conv
  int64_t classes = 10;      // at least 2
  double width = 1.0;        // multiplies every channel count of the body, not FC(1024); above 0, at most 4
  int64_t image_size = 224;  // frames, 75 to 512
  float dropout = 0.2f;      // in the head
  PoolPadding pool_padding =
      PoolPadding::Ignored;             // InceptionV3's average pools: Keras' Ignored, torchvision's Counted
  Gamma batch_norm_gamma = Gamma::One;  // InceptionV3's: Keras' One, torchvision's Learned
  HeadKind head = HeadKind::Hidden1024;
  // The weight of a new batch in BatchNorm's running statistics: Keras' momentum 0.99 is 0.01, PyTorch's 0.1 is 0.1.
  // Runs of few steps (a small data set) want the larger one, or the statistics still remember their start.
  float batch_norm_new_value_weight = 0.01f;
  uint64_t seed = 1;  // draws the initial weights

  bool operator==(const BackboneOptions&) const = default;
};

// One line of JSON for metadata["backbone"] of a checkpoint, and back (DataError on anything else).
std::string to_json(const BackboneOptions& options);
BackboneOptions backbone_options_from_json(std::string_view json);
inline constexpr const char* kBackboneKey = "backbone";

struct BackboneOutput {
  Variable pool, fc1024, logits;  // fc1024 is undefined under a direct head
};

class Backbone : public Module {
 public:
  // Heights and widths other than input_shape() work from the network's smallest size on. Samples may lie on another
  // device: they are copied. The outputs are f32, on the network's device; no gradient goes to the samples.
  BackboneOutput run(const Samples& samples);

  // The type of the body's activations: f32, or bf16 or f16 where the device has them. Parameters, statistics and the
  // head stay f32. Not a part of the options: a checkpoint does not care.
  void compute_in(DType dtype) { compute_dtype_ = dtype; }
  // Keeps only what enters a stage and computes the stage again in backward (layers/recompute.h).
  void recompute_stages(bool on) { recompute_stages_ = on; }
  Device device() const { return random_.state().device(); }

  const BackboneOptions& options() const { return options_; }
  Modality modality() const { return modality_; }
  Shape input_shape() const;                            // one sample: [128, 704, 6] or [image_size, image_size, 3]
  virtual int64_t features() const = 0;                 // channels of `pool`
  virtual std::vector<std::string> stages() const = 0;  // names of the body's stages, in order
  // Keeps a stage and everything before it as it is: no gradients, BatchNorm at its running statistics. UsageError
  // naming the stages when `stage` is none of them.
  void freeze_through(const std::string& stage);
  void draw_weights();                       // all of them, from options().seed
  void draw_head();                          // the same values, of the head alone
  RandomState& random() { return random_; }  // for dropout: set(seed, step) before each training step

  // Called with each stage's output as it is computed: how tests and curious readers look inside. Empty: nobody.
  using Observer = std::function<void(const std::string& stage, const Variable& y)>;
  void observe(Observer observer) { observer_ = std::move(observer); }

 protected:
  Backbone(BackboneOptions options, Modality modality);
  virtual void check_input(const Shape& x) const = 0;  // ShapeError
  virtual Variable body(const Variable& x) = 0;        // preprocessed [n, h, w, c] -> [n, features]
  Variable run_stage(Layer& stage, const Variable& x) const {
    return recompute_stages_ && training() ? avs::recompute(stage, x) : stage(x);
  }
  Variable as_computed(const Variable& x) const { return cast(x, compute_dtype_); }  // a body's own work begins with it
  void moved(Device device) override;
  void preprocess_pixels(const std::vector<float>& scale, const std::vector<float>& shift);  // x * scale[c] + shift[c]
  void add_head();  // the last call of a network's constructor
  void passed(const std::string& stage, const Variable& y) const {
    if (observer_) observer_(stage, y);
  }

 private:
  class Head;
  Tensor load(const Samples& samples) const;  // the body's input

  BackboneOptions options_;
  Modality modality_;
  RandomState random_;
  PixelScale pixel_scale_;  // used by networks that see
  DType compute_dtype_ = DType::F32;
  bool recompute_stages_ = false;
  Observer observer_;
  Head* head_ = nullptr;
};

// Weights begin drawn from options.seed, or, for whoever fills them from a file, not drawn (tens of millions of
// logarithms take longer than the file): zero, and constants at their value.
enum class FirstWeights : uint8_t { Drawn, NotDrawn };

// UsageError naming the known models, or the option that is out of range.
std::unique_ptr<Backbone> make_backbone(const BackboneOptions& options, FirstWeights first = FirstWeights::Drawn);
const std::vector<std::string>& backbone_names();
Modality modality_of(const std::string& model);  // UsageError naming the known models

// The network of a checkpoint, its weights loaded, in inference mode. DataError when the file says nothing of a
// backbone or does not fit it; `origin` (a file name) is for the message.
std::unique_ptr<Backbone> load_backbone(const Checkpoint& checkpoint, const std::string& origin,
                                        const std::string& prefix = "");

}  // namespace avs
