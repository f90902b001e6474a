#include "models/weights/recognise.h"

#include <algorithm>
#include <array>

namespace avs::weights {
namespace {

constexpr size_t kNamesShown = 5;

// Wrappers of training scripts (DataParallel, torch.compile, Lightning, …) put a word before every name. A word that
// more than half of the names begin with is taken off them.
void strip_wrappers(WeightSource& source) {
  static constexpr std::array<std::string_view, 7> kWords = {"module.",  "_orig_mod.", "model.", "backbone.",
                                                             "encoder.", "network.",   "net."};
  for (int round = 0; round < 4; ++round)
    for (const std::string_view word : kWords) {
      const auto begins = [&](const SourceTensor& tensor) { return tensor.key.starts_with(word); };
      const auto count = std::count_if(source.tensors.begin(), source.tensors.end(), begins);
      if (2 * static_cast<size_t>(count) <= source.tensors.size()) continue;
      for (SourceTensor& tensor : source.tensors)
        if (begins(tensor)) tensor.key.erase(0, word.size());
    }
}

bool has(const std::map<std::string, const SourceTensor*>& by_key, const Rule& rule) {
  return by_key.contains(rule.key) || (!rule.other_key.empty() && by_key.contains(rule.other_key));
}

size_t hits(const Layout& layout, const std::map<std::string, const SourceTensor*>& by_key) {
  return static_cast<size_t>(
      std::count_if(layout.rules.begin(), layout.rules.end(), [&](const Rule& rule) { return has(by_key, rule); }));
}

std::string names_of(const WeightSource& source) {
  std::string names;
  for (size_t i = 0; i < std::min(source.tensors.size(), kNamesShown); ++i)
    names += (i == 0 ? "" : ", ") + source.tensors[i].name.substr(0, 100);
  return names + (source.tensors.size() > kNamesShown ? ", …" : "");
}

// The members of the ConvNeXt family, by blocks per stage and channels of the first.
struct Size {
  std::array<int, 4> depths;
  int64_t width;
  const char* name;
};
constexpr Size kSizes[] = {{{2, 2, 6, 2}, 40, "Atto"},   {{2, 2, 6, 2}, 48, "Femto"},   {{2, 2, 6, 2}, 64, "Pico"},
                           {{2, 2, 8, 2}, 80, "Nano"},   {{3, 3, 9, 3}, 96, "Tiny"},    {{3, 3, 27, 3}, 96, "Small"},
                           {{3, 3, 27, 3}, 128, "Base"}, {{3, 3, 27, 3}, 192, "Large"}, {{3, 3, 27, 3}, 256, "XLarge"}};
constexpr std::array<int, 4> kTinyDepths = {3, 3, 9, 3};

std::string text_of(const std::array<int, 4>& depths) {
  return str(depths[0], ", ", depths[1], ", ", depths[2], ", ", depths[3]);
}

// DataError when the file holds a ConvNeXt of other depths.
void check_depths(const Recognised& recognised, const std::string& file) {
  if (recognised.layout.block_key == nullptr) return;
  std::array<int, 4> depths = {};
  for (int stage = 0; stage < 4; ++stage)
    while (recognised.by_key.contains(recognised.layout.block_key(stage, depths[static_cast<size_t>(stage)])))
      ++depths[static_cast<size_t>(stage)];
  if (depths == kTinyDepths || std::find(depths.begin(), depths.end(), 0) != depths.end()) return;
  const std::vector<int64_t>& shape = recognised.by_key.at(recognised.layout.block_key(0, 0))->shape;
  // [c, 1, 7, 7] in PyTorch, [7, 7, 1, c] in Keras
  const int64_t width = shape.size() < 4 ? 0 : recognised.layout.keras ? std::max(shape[2], shape[3]) : shape[0];
  std::string name = "a ConvNeXt";
  for (const Size& size : kSizes)
    if (size.depths == depths && size.width == width) name = str("ConvNeXt-", size.name);
  throw DataError(str(file, ": holds ", name, " (", text_of(depths), " blocks, ", width,
                      " channels); vis-conv is ConvNeXt-Tiny (", text_of(kTinyDepths), " blocks, 96 channels)"));
}

[[noreturn]] void refuse_unknown(const Recognised& file, const Layout& nearest, size_t found, const std::string& name) {
  throw DataError(str(name, ": ", file.source.description, " with ", file.source.tensors.size(),
                      " tensors of no network known here (", names_of(file.source), "); nearest is ", nearest.title,
                      " with ", nearest.name, ": ", found, " of its ", nearest.rules.size(), " tensors are there"));
}

}  // namespace

std::string Recognised::describe() const {
  const bool obvious = source.container == Container::KerasLegacy || source.container == Container::Keras3;
  if (!obvious) return source.description + " with " + layout.name;
  return source.description + (layout.name == "Keras' names" ? "" : " with " + layout.name);
}

const SourceTensor* Recognised::find(const Rule& rule) const {
  const auto found = by_key.find(rule.key);
  if (found != by_key.end()) return found->second;
  const auto other = rule.other_key.empty() ? by_key.end() : by_key.find(rule.other_key);
  return other == by_key.end() ? nullptr : other->second;
}

int64_t Recognised::classes() const {
  for (const Rule& rule : layout.head)
    if (rule.path == "head.classes.bias")
      if (const SourceTensor* bias = find(rule); bias != nullptr && bias->shape.size() == 1) return bias->shape[0];
  return 0;
}

Recognised recognise(const std::filesystem::path& file, const std::string& model) {
  Recognised recognised;
  recognised.source = open_weight_file(file);
  strip_wrappers(recognised.source);
  for (const SourceTensor& tensor : recognised.source.tensors)
    if (!recognised.by_key.emplace(tensor.key, &tensor).second)
      throw DataError(str(file.string(), ": tensors '", recognised.by_key[tensor.key]->name, "' and '", tensor.name,
                          "' are the same layer's"));

  const auto own = recognised.source.metadata.find(kBackboneKey);
  if (own != recognised.source.metadata.end()) {
    try {
      recognised.own = backbone_options_from_json(own->second);
    } catch (const Error& error) {
      throw DataError(str(file.string(), ": ", error.what()));
    }
    if (!model.empty() && recognised.own->model != model)
      throw DataError(str(file.string(), ": is a checkpoint of ", recognised.own->model, ", not of ", model));
    return recognised;  // its layout is the network's
  }

  const Layout* best = nullptr;
  size_t most = 0;
  for (const Layout& layout : known_layouts()) {
    const size_t found = hits(layout, recognised.by_key);
    if (best == nullptr || found > most) {
      best = &layout;
      most = found;
    }
  }
  if (10 * most < 3 * best->rules.size()) refuse_unknown(recognised, *best, most, file.string());
  recognised.layout = *best;
  check_depths(recognised, file.string());  // before the network's name: ConvNeXt-Small is not vis-conv either
  if (!model.empty() && best->model != model)
    throw DataError(str(file.string(), ": holds ", best->title, " (", recognised.describe(), "), which is ",
                        best->model, "; the network is ", model));
  return recognised;
}

}  // namespace avs::weights
