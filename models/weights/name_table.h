// A NameTable is a library's table of tensor names and axis orders for one network, with one rule per tensor of ours. A
// file is recognised by counting the rules whose names it contains.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/weights/import.h"
#include "models/weights/source.h"

namespace avs::weights {

// Conversion from the file's axis order to ours. Axes: o out, i in, h height, w width, 1 an axis of extent one.
enum class Axes : uint8_t {
  Same,
  Oihw,           // PyTorch convolution → ours, ohwi
  Hwio,           // Keras convolution → ohwi
  DepthwiseOihw,  // PyTorch [c, 1, h, w] → ours, [h, w, c]
  DepthwiseHwio,  // Keras [h, w, c, 1] or [h, w, 1, c] → [h, w, c]
  DenseIo,        // Keras [in, out] → ours, [out, in]
  DenseOi,        // PyTorch [out, in], or [out, in, 1, 1] as a convolution
  Vector,         // any shape with one extent above 1: layer scale [c, 1, 1]
};

struct Rule {
  std::string path;  // in our network
  std::string key;   // in the file
  Axes axes = Axes::Same;
  bool optional = false;       // if the file lacks it: gamma 1, beta 0
  std::string other_key = {};  // a second name that the library uses
};

struct NameTable {
  std::string name;    // "torchvision's names"
  std::string model;   // "vis-inc"
  std::string title;   // "InceptionV3"
  bool keras = false;  // keys have Keras' form
  bool own = false;    // keys are our paths
  std::vector<Rule> rules = {};
  std::vector<Rule> head = {};  // head.classes.weight and .bias
  PoolPadding pool_padding = PoolPadding::Ignored;
  InputScale input_scale = InputScale::MinusOneToOne;
  // ConvNeXt only (else null): key of a block's depthwise filter, for counting blocks per stage.
  std::string (*block_key)(int stage, int block) = nullptr;

  // The reason to skip a tensor that is no weight of the body: a counter, an optimizer's state. nullopt: do not skip
  // it.
  std::optional<std::string> reason_to_skip(const std::string& key) const;
  // Does this key belong to the body? If no rule knows it, the file holds a different network.
  bool is_of_body(const std::string& key) const;
};

const std::vector<NameTable>& known_tables();  // other libraries' tables
NameTable own_table(const Backbone& network, const std::string& model);

std::vector<NameTable> inception_tables(const std::vector<std::string>& paths);  // paths: our InceptionV3's body
std::vector<NameTable> convnext_tables(const std::vector<std::string>& paths);

// reorder() returns the values in our axis order. shape: ours, stored: the file's. Call fits() first.
bool fits(Axes axes, const Shape& shape, const std::vector<int64_t>& stored);
std::vector<float> reorder(Axes axes, const Shape& shape, std::vector<float> values);
std::string text_of(const std::vector<int64_t>& shape);     // "[8, 3, 3]"
std::string expected_shape(Axes axes, const Shape& shape);  // the file's shape, for messages

}  // namespace avs::weights
