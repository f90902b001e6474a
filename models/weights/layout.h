// Layouts: under which name a library keeps each tensor of a network, and in what order its axes stand. A layout is a
// table with one rule per tensor of ours; recognising a file is counting whose rules find their names in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/weights/import.h"
#include "models/weights/source.h"

namespace avs::weights {

// From the file's axes to ours. Names of axes: o out, i in, h height, w width, 1 an axis of one.
enum class Axes : uint8_t {
  Same,
  Oihw,           // PyTorch convolution → ours, ohwi
  Hwio,           // Keras convolution → ohwi
  DepthwiseOihw,  // PyTorch [c, 1, h, w] → ours, [h, w, c]
  DepthwiseHwio,  // Keras [h, w, c, 1] or [h, w, 1, c] → [h, w, c]
  DenseIo,        // Keras [in, out] → ours, [out, in]
  DenseOi,        // PyTorch [out, in], or [out, in, 1, 1] where it is a convolution
  Vector,         // any shape with one extent above 1: layer scale as [c, 1, 1]
};

struct Rule {
  std::string path;  // ours
  std::string key;   // the file's
  Axes axes = Axes::Same;
  bool optional = false;       // a gamma: 1 where the file has none, a beta: 0
  std::string other_key = {};  // where a library has two names for one thing
};

struct Layout {
  std::string name;    // "torchvision's names"
  std::string model;   // "vis-inc"
  std::string title;   // "InceptionV3"
  bool keras = false;  // keys are Keras'
  bool own = false;    // keys are our paths
  std::vector<Rule> rules = {};
  std::vector<Rule> head = {};  // head.classes.weight and .bias
  PoolPadding pool_padding = PoolPadding::Ignored;
  InputScale input_scale = InputScale::MinusOneToOne;
  // ConvNeXt: the key of the depthwise filter of a block, by which depths are counted. Empty: no such blocks.
  std::string (*block_key)(int stage, int block) = nullptr;

  // Why a tensor of the file is no weight of a body, whichever the network: a counter, an optimizer's state.
  std::optional<std::string> reason_to_skip(const std::string& key) const;
  // Does a key stand among those of the body's layers, so that a network with it computes something else?
  bool is_of_body(const std::string& key) const;
};

const std::vector<Layout>& known_layouts();  // of other libraries
Layout own_layout(const Backbone& network, const std::string& model);

std::vector<Layout> inception_layouts(const std::vector<std::string>& paths);  // paths of a network's body
std::vector<Layout> convnext_layouts(const std::vector<std::string>& paths);

// The values in our order. `shape` is ours, `stored` the file's; fits() said yes before.
bool fits(Axes axes, const Shape& shape, const std::vector<int64_t>& stored);
std::vector<float> reorder(Axes axes, const Shape& shape, std::vector<float> values);
std::string expected_shape(Axes axes, const Shape& shape);  // of the file, for messages

}  // namespace avs::weights
