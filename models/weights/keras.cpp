// Lists the arrays of Keras' two HDF5 layouts.
//
//   legacy    the root (or its group `model_weights`) has an attribute layer_names, if long split into layer_names0,
//             layer_names1, …; each layer is a group whose weight_names are relative paths: conv2d_1/kernel:0
//   Keras 3   layers/conv2d_1/vars/0, nested for layers in layers; since about Keras 3.9 `vars` has the layer's name
//
// A network inside another (a backbone in a Sequential) is a container: its layers are counted separately, and their
// keys start with "inception_v3/" or "functional/".
//
// Keys: the number in a layer's name counts instances in a Python session, so it is replaced by its rank among layers
// of the same kind: "conv2d#17/kernel" was constructed 18th. Keras 3 files without names count in order of graph depth:
// "conv2d@17/kernel". ConvNeXt's layers are named by position: "stage_2_block_4_layernorm/gamma".
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>

#include "models/weights/hdf5.h"

namespace avs::weights {
namespace {

struct Weight {
  std::string owner;  // "conv2d_17", "sequential_1/conv2d"
  std::string tail;   // "kernel"
  std::string name;   // full name in the file
  const hdf5::Dataset* dataset;
  std::string container = {};  // "inception_v3/"
};

enum class Naming : uint8_t { Names, Counters };

// "conv2d_17" of kind "conv2d" gives 17, "conv2d" gives 0, other names nullopt.
std::optional<int64_t> number_of(std::string_view owner, std::string_view kind) {
  if (!owner.starts_with(kind)) return std::nullopt;
  owner.remove_prefix(kind.size());
  if (owner.empty()) return 0;
  if (owner[0] != '_' || owner.size() > 9) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(owner.data() + 1, owner.data() + owner.size(), number);
  if (error != std::errc() || end != owner.data() + owner.size() || number < 0) return std::nullopt;
  return number;
}

// The part of a ConvNeXt layer's name that states its position, without the model's name before it.
std::optional<std::string> convnext_place(const std::string& owner) {
  static constexpr std::string_view kPlaces[] = {
      "stem_conv",  "stem_layernorm", "downsampling_layernorm_", "downsampling_conv_", "head_layernorm",
      "head_dense", "stage_"};
  for (const std::string_view place : kPlaces) {
    const size_t at = owner.rfind(place);
    const bool fits = at != std::string::npos && (at == 0 || owner[at - 1] == '_');
    if (fits && (place.ends_with('_') || at + place.size() == owner.size())) return owner.substr(at);
  }
  return std::nullopt;
}

// ConvNeXt's stem and downsamplings are small Sequentials, not networks of their own.
bool is_in_small_sequential(const std::string& owner) {
  const auto place = convnext_place(owner);
  return place && (place->starts_with("stem_") || place->starts_with("downsampling_"));
}

// ---- legacy ----

// Attribute "layer_names", or "layer_names0", "layer_names1", … concatenated.
std::vector<std::string> split_texts(const hdf5::Node& node, const std::string& name) {
  const auto whole = node.texts.find(name);
  if (whole != node.texts.end()) return whole->second;
  std::vector<std::string> all;
  for (int part = 0;; ++part) {
    const auto found = node.texts.find(str(name, part));
    if (found == node.texts.end()) return all;
    all.insert(all.end(), found->second.begin(), found->second.end());
  }
}

// "kernel:0" → "kernel"; Keras 1: "convolution2d_1_W:0" → "kernel".
std::string tail_of(std::string text) {
  text.resize(std::min(text.size(), text.find(':')));
  static constexpr std::pair<std::string_view, std::string_view> kEndings[] = {{"_W", "kernel"},
                                                                               {"_b", "bias"},
                                                                               {"_gamma", "gamma"},
                                                                               {"_beta", "beta"},
                                                                               {"running_mean", "moving_mean"},
                                                                               {"running_std", "moving_variance"},
                                                                               {"depthwise_kernel", "kernel"}};
  for (const auto& [end, name] : kEndings)
    if (text.ends_with(end)) return std::string(name);
  if (number_of(text, "variable") || number_of(text, "Variable")) return "scale";
  return text;
}

const hdf5::Dataset* dataset_at(const hdf5::Node& group, std::string_view path) {
  const hdf5::Node* node = &group;
  while (node != nullptr && !path.empty()) {
    const size_t slash = path.find('/');
    node = node->child(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return node == nullptr || !node->dataset ? nullptr : &*node->dataset;
}

std::vector<Weight> legacy_weights(const hdf5::Node& root, const std::string& file) {
  std::vector<Weight> weights;
  for (const std::string& layer : split_texts(root, "layer_names")) {
    const hdf5::Node* const group = root.child(layer);
    if (group == nullptr) throw DataError(file + ": layer '" + layer + "' is listed and not there");
    const size_t first = weights.size();
    for (const std::string& name : split_texts(*group, "weight_names")) {
      const hdf5::Dataset* const dataset = dataset_at(*group, name);
      if (dataset == nullptr) throw DataError(file + ": array '" + layer + "/" + name + "' is listed and not there");
      const size_t slash = name.rfind('/');
      const size_t before = slash == std::string::npos || slash == 0 ? std::string::npos : name.rfind('/', slash - 1);
      const std::string owner = slash == std::string::npos ? layer : name.substr(before + 1, slash - before - 1);
      weights.push_back({owner, tail_of(name.substr(slash + 1)), layer + "/" + name, dataset});
    }
    const std::span<Weight> own = std::span(weights).subspan(first);
    const bool is_network =
        std::ranges::any_of(own, [&](const Weight& weight) { return weight.owner != own.front().owner; }) &&
        !std::ranges::all_of(own, is_in_small_sequential, &Weight::owner);
    for (Weight& weight : own)
      if (is_network) weight.container = layer + "/";
  }
  return weights;
}

// ---- Keras 3 ----

// A layer's variables are numbered in the order in which its class creates them.
std::string tail_of_variable(size_t index, size_t count, bool first_is_matrix) {
  static const std::map<size_t, std::vector<std::string>> kVectors = {
      {1, {"scale"}},
      {2, {"gamma", "beta"}},
      {3, {"beta", "moving_mean", "moving_variance"}},
      {4, {"gamma", "beta", "moving_mean", "moving_variance"}}};
  static const std::vector<std::string> kMatrix = {"kernel", "bias"};
  if (first_is_matrix) return index < 2 ? kMatrix[index] : str(index);
  const auto found = kVectors.find(count);
  return found == kVectors.end() ? str(index) : found->second[index];
}

// Length of the container's path in a layer's path: of "functional/" in "functional/sequential_1/conv2d". A small
// Sequential around the layer does not count. `name` is the layer's, if the file has it.
size_t container_bytes(const std::string& structure, const std::string* name) {
  const size_t slash = structure.rfind('/');
  if (slash == std::string::npos) return 0;
  const size_t before = structure.substr(0, slash).rfind('/') + 1;  // npos + 1 is 0
  const std::string layer = structure.substr(slash + 1);
  const bool in_small_sequential = name != nullptr
                                       ? is_in_small_sequential(*name)
                                       : number_of(structure.substr(before, slash - before), "sequential") &&
                                             (layer == "conv2d" || layer == "layer_normalization");
  return in_small_sequential ? before : slash + 1;
}

void collect_keras3(const hdf5::Node& node, const std::string& path, const std::string& structure, Naming& naming,
                    std::vector<Weight>& weights) {
  for (const hdf5::Node& child : node.children) {
    const std::string child_path = path.empty() ? child.name : path + "/" + child.name;
    if (child.name != "vars") {
      const bool plain = child.name == "layers" || child.name == "_layer_checkpoint_dependencies";
      const std::string inner = plain ? structure : structure.empty() ? child.name : structure + "/" + child.name;
      collect_keras3(child, child_path, inner, naming, weights);
      continue;
    }
    const auto named = child.texts.find("name");
    const bool has_name = named != child.texts.end() && !child.children.empty() && !structure.starts_with("optimizer");
    if (has_name) naming = Naming::Names;
    const size_t inner = container_bytes(structure, has_name ? &named->second.front() : nullptr);
    const std::string owner = has_name ? named->second.front() : structure.substr(inner);
    const hdf5::Node* const first = child.child("0");
    const bool matrix = first != nullptr && first->dataset && first->dataset->shape.size() > 1;
    for (const hdf5::Node& variable : child.children) {
      if (!variable.dataset) continue;
      const size_t index = static_cast<size_t>(number_of("v_" + variable.name, "v").value_or(1 << 20));
      weights.push_back(
          {owner,
           index < child.children.size() ? tail_of_variable(index, child.children.size(), matrix) : variable.name,
           child_path + "/" + variable.name, &*variable.dataset, structure.substr(0, inner)});
    }
  }
}

// ---- canonical keys ----

// ConvNeXt without names: layers of one class are numbered in order, so the number gives the position.
class ConvNextCounters {
 public:
  explicit ConvNextCounters(const std::vector<Weight>& weights) {
    std::map<int64_t, int64_t> channels;  // channels of each block's depthwise convolution
    for (const Weight& weight : weights) {
      if (const auto block = number_of(weight.owner, "conv2d"); block && weight.tail == "kernel")
        channels[*block] = weight.dataset->shape.empty() ? 0 : weight.dataset->shape.back();
      if (const auto dense = number_of(weight.owner, "dense")) last_dense_ = std::max(last_dense_, *dense);
    }
    // A stage begins when the width changes; if that does not give four stages, assume Tiny's.
    std::vector<int64_t> starts;
    int64_t before = 0, index = 0;
    for (const auto& [block, width] : channels) {
      if (width != before) starts.push_back(index);
      before = width;
      ++index;
    }
    if (starts.size() != 4) starts = {0, 3, 6, 15};
    size_t stage = 0;
    for (int64_t block = 0; block < index; ++block) {
      while (stage + 1 < starts.size() && block >= starts[stage + 1]) ++stage;
      blocks_.push_back(str("stage_", stage, "_block_", block - starts[stage], "_"));
    }
  }

  std::string place(const std::string& owner) const {
    const size_t slash = owner.find('/');
    if (const auto i = number_of(owner.substr(0, slash), "sequential"); i && slash != std::string::npos) {
      const std::string inner = owner.substr(slash + 1);
      const std::string kind = inner == "conv2d" ? "conv" : inner == "layer_normalization" ? "layernorm" : inner;
      return *i == 0 ? "stem_" + kind : str("downsampling_", kind, "_", *i - 1);
    }
    const auto count = static_cast<int64_t>(blocks_.size());
    const auto block = [&](int64_t i, const std::string& layer) {
      return i < count ? blocks_[static_cast<size_t>(i)] + layer : owner;
    };
    if (const auto i = number_of(owner, "conv2d")) return block(*i, "depthwise_conv");
    if (const auto i = number_of(owner, "layer_scale")) return block(*i, "layer_scale");
    if (const auto i = number_of(owner, "layer_normalization"))
      return *i == count ? "layer_normalization" : block(*i, "layernorm");
    if (const auto i = number_of(owner, "dense"))
      return *i == 2 * count && *i == last_dense_
                 ? "head_dense"
                 : block(*i / 2, *i % 2 == 0 ? "pointwise_conv_1" : "pointwise_conv_2");
    return owner;
  }

 private:
  std::vector<std::string> blocks_;
  int64_t last_dense_ = 0;
};

// The rank of each numbered layer among its kind.
std::map<int64_t, size_t> ranks_of(const std::vector<Weight>& weights, std::string_view kind) {
  std::map<int64_t, size_t> ranks;
  for (const Weight& weight : weights)
    if (const auto number = number_of(weight.owner, kind)) ranks[*number] = 0;
  size_t next = 0;
  for (auto& [number, rank] : ranks) rank = next++;
  return ranks;
}

// The keys of one container's weights.
std::vector<std::string> canonical_keys(const std::vector<Weight>& weights, Naming naming) {
  struct Kind {
    std::string_view spelling, canonical;
    std::map<int64_t, size_t> ranks;
  };
  std::vector<Kind> kinds = {{"conv2d", "conv2d", {}},
                             {"convolution2d", "conv2d", {}},
                             {"batch_normalization", "batch_normalization", {}},
                             {"batchnormalization", "batch_normalization", {}}};
  for (Kind& kind : kinds) kind.ranks = ranks_of(weights, kind.spelling);
  const bool is_convnext = std::any_of(weights.begin(), weights.end(), [](const Weight& weight) {
    return number_of(weight.owner, "layer_scale") || convnext_place(weight.owner);
  });
  const std::map<int64_t, size_t> norms = ranks_of(weights, "layer_normalization"), dense = ranks_of(weights, "dense");
  const ConvNextCounters counters(naming == Naming::Counters && is_convnext ? weights : std::vector<Weight>{});

  std::vector<std::string> keys;
  for (const Weight& weight : weights) {
    std::string owner = weight.owner;
    if (is_convnext) {
      owner = naming == Naming::Counters ? counters.place(owner) : convnext_place(owner).value_or(owner);
      // The body's last norm is constructed before those of a head.
      if (const auto norm = number_of(owner, "layer_normalization"); norm && *norm == norms.begin()->first)
        owner = "layer_normalization";
      else if (norm)
        owner = str("layer_normalization#", *norm);
    } else {
      for (const Kind& kind : kinds)
        if (const auto number = number_of(weight.owner, kind.spelling))
          owner = str(kind.canonical, naming == Naming::Names ? "#" : "@", kind.ranks.at(*number));
      if (number_of(owner, "dense") && dense.size() == 1) owner = "predictions";
    }
    const bool is_layer_scale = owner.ends_with("layer_scale");
    keys.push_back(owner + "/" + (is_layer_scale ? "scale" : weight.tail));
  }
  return keys;
}

}  // namespace

WeightSource read_keras(const Bytes& file) {
  const auto tree = std::make_shared<const hdf5::Node>(hdf5::read_tree(file));
  const hdf5::Node* const model = tree->child("model_weights");
  const hdf5::Node& legacy_root = model != nullptr ? *model : *tree;
  WeightSource source;
  Naming naming = Naming::Names;
  std::vector<Weight> weights;
  if (!split_texts(legacy_root, "layer_names").empty()) {
    source.container = Container::KerasLegacy;
    source.description = "Keras legacy HDF5";
    weights = legacy_weights(legacy_root, file.name());
  } else {
    source.container = Container::Keras3;
    source.description = "Keras 3 HDF5";
    naming = Naming::Counters;
    collect_keras3(*tree, "", "", naming, weights);
    if (weights.empty())
      throw DataError(file.name() + ": is an HDF5 file, but not Keras': neither layer_names nor layers with vars");
  }
  std::map<std::string, std::vector<Weight>> containers;
  for (const Weight& weight : weights) containers[weight.container].push_back(weight);
  for (const auto& [container, layers] : containers) {
    const std::vector<std::string> keys = canonical_keys(layers, naming);
    for (size_t i = 0; i < layers.size(); ++i)
      source.tensors.push_back(
          {layers[i].name, container + keys[i], layers[i].dataset->shape, layers[i].dataset->read});
  }
  return source;
}

}  // namespace avs::weights
