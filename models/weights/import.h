// ImageNet weights from the files people have, into our image networks. What a file is, is read from its content, never
// from its name: Keras' HDF5 (the legacy layout and Keras 3's, also inside a .keras archive), PyTorch's .pth and .pt
// (read without executing anything), and safetensors with the names of timm, torchvision, Facebook's ConvNeXt,
// Hugging Face transformers or our own. docs/weights.md lists them all, and where the files are published.
//
// Libraries differ in four ways that a weight file does not say aloud, and its layout settles:
//
//   average pools    Keras leaves padding out of InceptionV3's averages, PyTorch counts it
//   BatchNorm gamma  Keras' InceptionV3 has none, PyTorch's has one
//   input            InceptionV3 takes -1..1 (torchvision's `transform_input` comes to the same), ConvNeXt pixels with
//                    ImageNet's mean and deviation taken out
//   last LayerNorm   Keras' ConvNeXt file without top leaves it at gamma 1, beta 0: that is what the file says, and
//                    that is what is loaded
//
// The first two belong to the network and the third goes into its first convolution, so a network is made in two steps:
//
//   BackboneOptions options = options_for_weights({.model = "vis-inc"}, file);
//   const auto network = make_backbone(options);
//   const ImportReport report = import_weights(*network, file);
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/backbone.h"

namespace avs {

// What a network's first convolution was trained on, red, green, blue.
enum class InputScale : uint8_t {
  MinusOneToOne,  // x / 127.5 - 1
  ImageNet,       // (x / 255 - {0.485, 0.456, 0.406}) / {0.229, 0.224, 0.225}
};
std::string_view name_of(InputScale scale);  // "-1..1", "ImageNet mean and deviation"

// What overrides the origin's convention. (timm's inception_v3.gluon_in1k has torchvision's names, but ImageNet's
// mean and deviation: nothing in the file tells.)
struct ImportOptions {
  std::optional<PoolPadding> pool_padding;
  std::optional<InputScale> input_scale;
};

struct ImportReport {
  std::string layout;                 // "Keras legacy HDF5", "safetensors with timm's names", …
  std::string model;                  // what the file holds: "InceptionV3", "ConvNeXt-Tiny", or our own name
  std::vector<std::string> used;      // names in the file, in the network's order
  std::vector<std::string> skipped;   // "name: why"
  std::vector<std::string> defaults;  // "our path: why it is not from the file": the head, a gamma of 1
  std::vector<std::string> notes;     // what was converted on the way
  int64_t parameters = 0;             // values taken from the file, running statistics included, as Keras counts
  PoolPadding pool_padding = PoolPadding::Ignored;
  InputScale input_scale = InputScale::MinusOneToOne;
  bool head_taken = false;   // false: the head keeps its own values
  int64_t file_classes = 0;  // of the file's classifier; 0: without top
};

// In the metadata of a checkpoint: the head was never trained, whoever reads it may leave it out.
inline constexpr const char* kUntrainedHeadKey = "untrained_head";

// `options` with what the file decides: pool padding, and whether BatchNorm has a gamma. Errors as import_weights().
BackboneOptions options_for_weights(BackboneOptions options, const std::filesystem::path& file,
                                    const ImportOptions& import = {});

// Fills the body of the network, and its head where the file has one of the same form; a classifier of other classes is
// skipped and said so. f16, bf16 and f64 become f32. On an error the network is unchanged:
//   DataError   the file is truncated, damaged, not a weight file, another network's, or does not fit; a misfit lists
//               every missing, unexpected and misshapen tensor and the nearest known layout
//   UsageError  the network is not an image network, or was made with other options than the file asks for
ImportReport import_weights(Backbone& backbone, const std::filesystem::path& file, const ImportOptions& import = {});

// A whole network for a file, in inference mode; of our own checkpoints, the very network. With a classifier in the
// file (1000 ImageNet classes as a rule) the head is that classifier, directly on the pooled features; without one the
// head is `base`'s, untrained. An empty model in `base` means the one that the file holds.
std::unique_ptr<Backbone> make_backbone_from_weights(const BackboneOptions& base, const std::filesystem::path& file,
                                                     const ImportOptions& import = {}, ImportReport* report = nullptr);

}  // namespace avs
