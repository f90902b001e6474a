// ConvNeXt-Tiny's names in other libraries: one table row per library, expanded for every tensor.
#include "models/weights/name_table.h"

namespace avs::weights {
namespace {

// Placeholders: "{s}" stage 0..3, "{b}" block, "{d}" downsampling 1..3 (before stage d), "{d-1}", and torchvision's
// list indices "{2s+1}" and "{2d}".
struct Names {
  const char* library;
  bool keras;
  const char *stem_conv, *stem_norm, *down_norm, *down_conv, *depthwise, *norm, *expand, *project, *layer_scale;
  const char *last_norm, *other_last_norm, *classifier;
};

constexpr Names kKeras = {"Keras' names",
                          true,
                          "stem_conv",
                          "stem_layernorm",
                          "downsampling_layernorm_{d-1}",
                          "downsampling_conv_{d-1}",
                          "stage_{s}_block_{b}_depthwise_conv",
                          "stage_{s}_block_{b}_layernorm",
                          "stage_{s}_block_{b}_pointwise_conv_1",
                          "stage_{s}_block_{b}_pointwise_conv_2",
                          "stage_{s}_block_{b}_layer_scale/scale",
                          "layer_normalization",
                          "head_layernorm",
                          "head_dense"};
constexpr Names kTorchvision = {"torchvision's names",
                                false,
                                "features.0.0",
                                "features.0.1",
                                "features.{2d}.0",
                                "features.{2d}.1",
                                "features.{2s+1}.{b}.block.0",
                                "features.{2s+1}.{b}.block.2",
                                "features.{2s+1}.{b}.block.3",
                                "features.{2s+1}.{b}.block.5",
                                "features.{2s+1}.{b}.layer_scale",
                                "classifier.0",
                                "",
                                "classifier.2"};
constexpr Names kTimm = {"timm's names",
                         false,
                         "stem.0",
                         "stem.1",
                         "stages.{d}.downsample.0",
                         "stages.{d}.downsample.1",
                         "stages.{s}.blocks.{b}.conv_dw",
                         "stages.{s}.blocks.{b}.norm",
                         "stages.{s}.blocks.{b}.mlp.fc1",
                         "stages.{s}.blocks.{b}.mlp.fc2",
                         "stages.{s}.blocks.{b}.gamma",
                         "head.norm",
                         "norm",
                         "head.fc"};
constexpr Names kFacebook = {"the names of Facebook's ConvNeXt",
                             false,
                             "downsample_layers.0.0",
                             "downsample_layers.0.1",
                             "downsample_layers.{d}.0",
                             "downsample_layers.{d}.1",
                             "stages.{s}.{b}.dwconv",
                             "stages.{s}.{b}.norm",
                             "stages.{s}.{b}.pwconv1",
                             "stages.{s}.{b}.pwconv2",
                             "stages.{s}.{b}.gamma",
                             "norm",
                             "",
                             "head"};
constexpr Names kTransformers = {"the names of Hugging Face transformers",
                                 false,
                                 "embeddings.patch_embeddings",
                                 "embeddings.layernorm",
                                 "encoder.stages.{d}.downsampling_layer.0",
                                 "encoder.stages.{d}.downsampling_layer.1",
                                 "encoder.stages.{s}.layers.{b}.dwconv",
                                 "encoder.stages.{s}.layers.{b}.layernorm",
                                 "encoder.stages.{s}.layers.{b}.pwconv1",
                                 "encoder.stages.{s}.layers.{b}.pwconv2",
                                 "encoder.stages.{s}.layers.{b}.layer_scale_parameter",
                                 "layernorm",
                                 "",
                                 "classifier"};

std::string filled(std::string pattern, int stage_or_down, int block) {
  const std::pair<std::string_view, int> values[] = {{"{s}", stage_or_down},      {"{b}", block},
                                                     {"{d}", stage_or_down},      {"{d-1}", stage_or_down - 1},
                                                     {"{2d}", 2 * stage_or_down}, {"{2s+1}", 2 * stage_or_down + 1}};
  for (const auto& [word, value] : values)
    if (const size_t at = pattern.find(word); at != std::string::npos)
      pattern.replace(at, word.size(), std::to_string(value));
  return pattern;
}

enum class Kind : uint8_t { Conv, Depthwise, Dense, Norm };

// `member`, the last word of our path, is weight, gain or bias.
Rule rule(const Names& names, const std::string& path, const std::string& module, Kind kind) {
  const std::string member = path.substr(path.rfind('.') + 1);
  if (kind == Kind::Norm) {
    const bool gain = member == "gain";
    return {path, module + (names.keras ? (gain ? "/gamma" : "/beta") : (gain ? ".weight" : ".bias"))};
  }
  if (member == "bias") return {path, module + (names.keras ? "/bias" : ".bias")};
  const Axes axes = kind == Kind::Conv        ? (names.keras ? Axes::Hwio : Axes::Oihw)
                    : kind == Kind::Depthwise ? (names.keras ? Axes::DepthwiseHwio : Axes::DepthwiseOihw)
                                              : (names.keras ? Axes::DenseIo : Axes::DenseOi);
  return {path, module + (names.keras ? "/kernel" : ".weight"), axes};
}

Rule rule_for(const Names& names, const std::string& path) {
  if (path.starts_with("stem.conv.")) return rule(names, path, names.stem_conv, Kind::Conv);
  if (path.starts_with("stem.norm.")) return rule(names, path, names.stem_norm, Kind::Norm);
  if (path.starts_with("down")) {
    const int d = path[4] - '0';
    return path.compare(6, 5, "norm.") == 0 ? rule(names, path, filled(names.down_norm, d, 0), Kind::Norm)
                                            : rule(names, path, filled(names.down_conv, d, 0), Kind::Conv);
  }
  if (path.starts_with("norm.")) {
    Rule last = rule(names, path, names.last_norm, Kind::Norm);
    if (*names.other_last_norm != '\0') last.other_key = rule(names, path, names.other_last_norm, Kind::Norm).key;
    last.optional = names.keras;  // a file published by Keras without top lacks it
    return last;
  }
  const int stage = path[5] - '0', block = path[7] - '0';  // stage2.4.depthwise.weight: no stage has ten blocks
  const std::string layer = path.substr(9, path.find('.', 9) - 9);
  if (layer == "layer_scale") return {path, filled(names.layer_scale, stage, block), Axes::Vector};
  const auto of = [&](const char* pattern, Kind kind) {
    return rule(names, path, filled(pattern, stage, block), kind);
  };
  if (layer == "depthwise") return of(names.depthwise, Kind::Depthwise);
  if (layer == "norm") return of(names.norm, Kind::Norm);
  if (layer == "expand") return of(names.expand, Kind::Dense);
  return of(names.project, Kind::Dense);
}

template <const Names& names>
std::string block_key(int stage, int block) {
  return filled(names.depthwise, stage, block) + (names.keras ? "/kernel" : ".weight");
}

template <const Names& names>
NameTable table_of(const std::vector<std::string>& paths) {
  NameTable table{.name = names.library,
                  .model = "vis-conv",
                  .title = "ConvNeXt-Tiny",
                  .keras = names.keras,
                  .input_scale = InputScale::ImageNet,
                  .block_key = block_key<names>};
  for (const std::string& path : paths) table.rules.push_back(rule_for(names, path));
  table.head = {rule(names, "head.classes.weight", names.classifier, Kind::Dense),
                rule(names, "head.classes.bias", names.classifier, Kind::Dense)};
  return table;
}

}  // namespace

std::vector<NameTable> convnext_tables(const std::vector<std::string>& paths) {
  return {table_of<kKeras>(paths), table_of<kTorchvision>(paths), table_of<kTimm>(paths), table_of<kFacebook>(paths),
          table_of<kTransformers>(paths)};
}

}  // namespace avs::weights
