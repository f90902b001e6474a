// Loads published ImageNet weights into our image networks. The format is recognised by content, never by name: Keras'
// HDF5 (the legacy layout and Keras 3's, also inside a .keras archive), PyTorch's .pth and .pt (nothing in them is
// executed), and safetensors with the names of timm, torchvision, Facebook's ConvNeXt, Hugging Face transformers or our
// own. docs/weights.md lists all of them with download addresses.
// Libraries differ in four conventions that a weight file does not state; its layout implies them:
//
//   average pools    in InceptionV3, Keras ignores padding in averages, PyTorch counts it
//   BatchNorm gamma  Keras' InceptionV3 has none, PyTorch's has one
//   input            InceptionV3 expects -1..1 (equivalent to torchvision's `transform_input`); ConvNeXt expects pixels
//                    normalised by ImageNet's mean and deviation
//   last LayerNorm   Keras' ConvNeXt file without top has gamma 1, beta 0; they are loaded unchanged
//
// Pool padding and gamma are network options, and the input scale changes the first convolution; hence two steps:
//
//   const WeightFile weights(file, "vis-inc");
//   const auto network = make_backbone(weights.options({.model = "vis-inc"}));
//   const ImportReport report = weights.load_into(*network);
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/backbone.h"

namespace avs {

// Input scale that a network's first convolution was trained on.
enum class InputScale : uint8_t {
  MinusOneToOne,  // x / 127.5 - 1
  ImageNet,       // (x / 255 - {0.485, 0.456, 0.406}) / {0.229, 0.224, 0.225}
};
std::string_view name_of(InputScale scale);  // "-1..1", "ImageNet mean and deviation"

// Overrides the conventions of the recognised layout. (timm's inception_v3.gluon_in1k has torchvision's names but uses
// ImageNet's mean and deviation, which the file does not state.)
struct ImportOptions {
  std::optional<PoolPadding> pool_padding;
  std::optional<InputScale> input_scale;
};

struct ImportReport {
  std::string layout;                 // "Keras legacy HDF5", "safetensors with timm's names", …
  std::string model;                  // the file's network: "InceptionV3", "ConvNeXt-Tiny", or our own name
  std::vector<std::string> used;      // names in the file, in the network's order
  std::vector<std::string> skipped;   // "name: reason"
  std::vector<std::string> defaults;  // "our path: reason" for values not from the file: the head, a gamma of 1
  std::vector<std::string> notes;     // conversions
  int64_t parameters = 0;             // number of values from the file, with running statistics, as Keras counts
  PoolPadding pool_padding = PoolPadding::Ignored;
  InputScale input_scale = InputScale::MinusOneToOne;
  bool head_taken = false;   // false: the head keeps its own values
  int64_t file_classes = 0;  // classes of the file's classifier; 0: it has none
};

// Checkpoint metadata key: the head was never trained, and readers may skip it.
inline constexpr const char* kUntrainedHeadKey = "untrained_head";

namespace weights {
struct Recognised;
}

// A weight file, opened and recognised once.
class WeightFile {
 public:
  // `model` is the expected network; empty: any. DataError: the file is truncated, damaged, not a weight file, or
  // another network's.
  WeightFile(const std::filesystem::path& file, const std::string& model, const ImportOptions& import = {});

  // `base` with the options that the file determines: pool padding, and whether BatchNorm has a gamma.
  BackboneOptions options(BackboneOptions base) const;

  // Loads the network's body, and its head if the file has one of the same shape; a classifier with other classes
  // is skipped and reported. f16, bf16 and f64 become f32. On an error the network is unchanged:
  //   DataError   the file is damaged or does not fit; lists every missing, unexpected and misshapen tensor and the
  //               nearest known layout
  //   UsageError  the network is no image network, or its options differ from those the file needs
  ImportReport load_into(Backbone& network) const;

 private:
  friend std::unique_ptr<Backbone> make_backbone_from_weights(const BackboneOptions&, const std::filesystem::path&,
                                                              const ImportOptions&, ImportReport*);
  std::string name_;
  ImportOptions import_;
  std::shared_ptr<weights::Recognised> file_;
};

// Creates the network of a file, in inference mode; one of our checkpoints gives the same network. If the file has a
// classifier (usually 1000 ImageNet classes), it becomes the head, directly on the pooled features; otherwise the head
// is `base`'s, untrained. An empty model in `base` means the file's.
std::unique_ptr<Backbone> make_backbone_from_weights(const BackboneOptions& base, const std::filesystem::path& file,
                                                     const ImportOptions& import = {}, ImportReport* report = nullptr);

}  // namespace avs
