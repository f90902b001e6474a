#include "models/weights/name_table.h"

#include <algorithm>

namespace avs::weights {
namespace {

// Parameter and buffer paths of a network's body; the network is a small instance made only for its names.
std::vector<std::string> body_paths(Backbone& network) {
  std::vector<std::string> paths;
  for (const Parameter* parameter : network.parameters()) paths.push_back(parameter->path);
  for (const Buffer* buffer : network.buffers()) paths.push_back(buffer->path);
  std::erase_if(paths, [](const std::string& path) { return path.starts_with("head."); });
  return paths;
}

std::unique_ptr<Backbone> small_network(const std::string& model) {
  return make_backbone({.model = model, .width = 0.01, .batch_norm_gamma = Gamma::Learned}, FirstWeights::NotDrawn);
}

std::vector<int64_t> without_ones(std::vector<int64_t> shape) {
  std::erase(shape, 1);
  return shape;
}

// The file's shape for our shape; the usual one if there are several.
std::vector<int64_t> stored_shape(Axes axes, const Shape& s) {
  switch (axes) {
    case Axes::Oihw: return {s[0], s[3], s[1], s[2]};
    case Axes::Hwio: return {s[1], s[2], s[3], s[0]};
    case Axes::DepthwiseOihw: return {s[2], 1, s[0], s[1]};
    case Axes::DepthwiseHwio: return {s[0], s[1], 1, s[2]};
    case Axes::DenseIo: return {s[1], s[0]};
    case Axes::Same:
    case Axes::DenseOi:
    case Axes::Vector: return s.extents();
  }
  return {};
}

// Transposes [rows, columns] to [columns, rows].
std::vector<float> transposed(const std::vector<float>& values, int64_t rows, int64_t columns) {
  constexpr int64_t kTile = 32;  // tile size: keeps both matrices' cache lines in use
  std::vector<float> out(values.size());
  for (int64_t r0 = 0; r0 < rows; r0 += kTile)
    for (int64_t c0 = 0; c0 < columns; c0 += kTile)
      for (int64_t r = r0; r < std::min(r0 + kTile, rows); ++r)
        for (int64_t c = c0; c < std::min(c0 + kTile, columns); ++c)
          out[static_cast<size_t>(c * rows + r)] = values[static_cast<size_t>(r * columns + c)];
  return out;
}

}  // namespace

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

bool fits(Axes axes, const Shape& shape, const std::vector<int64_t>& stored) {
  const std::vector<int64_t> usual = stored_shape(axes, shape);
  if (stored == usual) return true;
  switch (axes) {
    case Axes::DepthwiseHwio: return stored == std::vector<int64_t>{shape[0], shape[1], shape[2], 1};
    case Axes::DenseOi: return stored == std::vector<int64_t>{shape[0], shape[1], 1, 1};
    case Axes::Vector: return without_ones(stored) == without_ones(usual);
    default: return false;
  }
}

std::string expected_shape(Axes axes, const Shape& shape) { return text_of(stored_shape(axes, shape)); }

std::vector<float> reorder(Axes axes, const Shape& shape, std::vector<float> values) {
  switch (axes) {
    case Axes::Oihw: {  // per filter: [i, hw] → [hw, i]
      std::vector<float> out(values.size());
      const int64_t pixels = shape[1] * shape[2], channels = shape[3];
      for (int64_t o = 0; o < shape[0]; ++o)
        for (int64_t i = 0; i < channels; ++i)
          for (int64_t p = 0; p < pixels; ++p)
            out[static_cast<size_t>((o * pixels + p) * channels + i)] =
                values[static_cast<size_t>((o * channels + i) * pixels + p)];
      return out;
    }
    case Axes::Hwio: return transposed(values, shape.size() / shape[0], shape[0]);
    case Axes::DepthwiseOihw: return transposed(values, shape[2], shape[0] * shape[1]);
    case Axes::DenseIo: return transposed(values, shape[1], shape[0]);
    case Axes::Same:
    case Axes::DepthwiseHwio:
    case Axes::DenseOi:
    case Axes::Vector: return values;
  }
  return values;
}

std::optional<std::string> NameTable::reason_to_skip(const std::string& key) const {
  if (keras) {
    if (key.starts_with("optimizer")) return "the optimizer's state";
    if (key.find("seed_generator") != std::string::npos) return "the state of a random generator";
    if (key.find("normalization/count") != std::string::npos || key.find("prestem") != std::string::npos)
      return "constants of the preprocessing, which is part of the network here";
    return std::nullopt;
  }
  if (key.ends_with("num_batches_tracked")) return "a counter of batches, which nothing computes with";
  if (key.starts_with("AuxLogits.")) return "the auxiliary classifier, which only training uses";
  if (key == "n_averaged") return "a counter of averaged steps";
  if (key.starts_with("adam.") || key.starts_with("ema/")) return "a training run's state";
  return std::nullopt;
}

bool NameTable::is_of_body(const std::string& key) const {
  if (keras) return key.starts_with("stage_");  // Keras' keys have no common first word; ConvNeXt's begin with "stage_"
  const auto first_word = [](const std::string& text) { return text.substr(0, text.find('.')); };
  const auto begins_alike = [&](const Rule& rule) { return first_word(rule.key) == first_word(key); };
  return std::any_of(rules.begin(), rules.end(), begins_alike) && std::none_of(head.begin(), head.end(), begins_alike);
}

NameTable own_table(const Backbone& network, const std::string& model) {
  NameTable table{.name = "our own names", .model = model, .title = model, .own = true};
  Backbone& tree = const_cast<Backbone&>(network);  // parameters() needs a mutable network; nothing is changed
  const auto add = [&](const std::string& path) {
    (path.starts_with("head.") ? table.head : table.rules)
        .push_back({path, path, Axes::Same, path.ends_with(".gamma")});
  };
  for (const Parameter* parameter : tree.parameters()) add(parameter->path);
  for (const Buffer* buffer : tree.buffers()) add(buffer->path);
  table.pool_padding = network.options().pool_padding;
  if (model == "vis-conv") table.input_scale = InputScale::ImageNet;
  return table;
}

const std::vector<NameTable>& known_tables() {
  static const std::vector<NameTable> tables = [] {
    const auto inception = small_network("vis-inc"), convnext = small_network("vis-conv");
    std::vector<NameTable> all = inception_tables(body_paths(*inception));
    for (NameTable& table : convnext_tables(body_paths(*convnext))) all.push_back(std::move(table));
    all.push_back(own_table(*inception, "vis-inc"));
    all.push_back(own_table(*convnext, "vis-conv"));
    return all;
  }();
  return tables;
}

}  // namespace avs::weights
