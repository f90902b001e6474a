// InceptionV3's names in other libraries. Keras numbers layers in construction order, which is our parameter order;
// files without layer names number them by graph depth. torchvision and timm name them by position (table:
// models/inception_v3.h).
#include <algorithm>
#include <map>

#include "models/weights/name_table.h"

namespace avs::weights {
namespace {

constexpr std::string_view kConv = ".conv.weight";

// "mixed9.branch3x3dbl.1x3" split into "mixed9", "branch3x3dbl", "1x3"; the stem has no branches.
struct Place {
  std::string block, branch, step;
  bool is_half() const { return step.find('x') != std::string::npos; }
};

Place place_of(const std::string& module) {
  const size_t first = module.find('.'), second = module.find('.', first + 1);
  if (second == std::string::npos) return {module.substr(0, first), "", module.substr(first + 1)};
  return {module.substr(0, first), module.substr(first + 1, second - first - 1), module.substr(second + 1)};
}

// The steps of each branch in order: "mixed9.branch3x3" → 0, 1x3, 3x1.
std::map<std::string, std::vector<std::string>> branches_of(const std::vector<std::string>& modules) {
  std::map<std::string, std::vector<std::string>> branches;
  for (const std::string& module : modules) {
    const Place place = place_of(module);
    branches[place.block + "." + place.branch].push_back(place.step);
  }
  return branches;
}

std::string torch_name(const Place& place, const std::vector<std::string>& steps) {
  static const std::map<std::string, std::string> kStem = {{"0", "Conv2d_1a_3x3"},
                                                           {"1", "Conv2d_2a_3x3"},
                                                           {"2", "Conv2d_2b_3x3"},
                                                           {"4", "Conv2d_3b_1x1"},
                                                           {"5", "Conv2d_4a_3x3"}};
  static const std::map<std::string, std::string> kBlocks = {
      {"mixed0", "Mixed_5b"}, {"mixed1", "Mixed_5c"}, {"mixed2", "Mixed_5d"}, {"mixed3", "Mixed_6a"},
      {"mixed4", "Mixed_6b"}, {"mixed5", "Mixed_6c"}, {"mixed6", "Mixed_6d"}, {"mixed7", "Mixed_6e"},
      {"mixed8", "Mixed_7a"}, {"mixed9", "Mixed_7b"}, {"mixed10", "Mixed_7c"}};
  if (place.block == "stem") return kStem.at(place.step);
  const std::string name = kBlocks.at(place.block) + "." + place.branch;
  if (steps.size() == 1) return name;
  if (!place.is_half()) return str(name, "_", std::stoi(place.step) + 1);
  return str(name, "_", steps.size() - 1, place.step == "1x3" ? "a" : "b");
}

// Number of Keras layers from this convolution to its block's end: Keras counts depth from the end.
size_t distance_to_end(const Place& place, const std::vector<std::string>& steps) {
  const bool splits = steps.back().find('x') != std::string::npos;
  if (place.is_half()) return 4;  // convolution, norm, activation, and the concatenation of both halves
  const size_t stages = splits ? steps.size() - 2 : steps.size();
  return 3 * (stages - static_cast<size_t>(std::stoi(place.step))) + (splits ? 4 : 0);
}

// Each module's rank in Keras' model.layers: deepest first; equal depths in construction order.
std::vector<size_t> depth_ranks(const std::vector<std::string>& modules) {
  const auto branches = branches_of(modules);
  std::vector<size_t> order;
  for (size_t first = 0; first < modules.size();) {
    size_t last = first;
    const std::string block = place_of(modules[first]).block;
    while (last < modules.size() && place_of(modules[last]).block == block) order.push_back(last++);
    if (block != "stem")
      std::stable_sort(order.begin() + static_cast<ptrdiff_t>(first), order.end(), [&](size_t a, size_t b) {
        const Place pa = place_of(modules[a]), pb = place_of(modules[b]);
        return distance_to_end(pa, branches.at(pa.block + "." + pa.branch)) >
               distance_to_end(pb, branches.at(pb.block + "." + pb.branch));
      });
    first = last;
  }
  std::vector<size_t> ranks(modules.size());
  for (size_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
  return ranks;
}

NameTable keras_table(const std::vector<std::string>& modules, const std::vector<size_t>& ranks, char separator,
                      const std::string& name) {
  NameTable table{.name = name, .model = "vis-inc", .title = "InceptionV3", .keras = true};
  for (size_t i = 0; i < modules.size(); ++i) {
    const std::string conv = str("conv2d", separator, ranks[i]), norm = str("batch_normalization", separator, ranks[i]);
    table.rules.push_back({modules[i] + ".conv.weight", conv + "/kernel", Axes::Hwio});
    table.rules.push_back({modules[i] + ".bn.gamma", norm + "/gamma", Axes::Same, true});
    table.rules.push_back({modules[i] + ".bn.beta", norm + "/beta"});
    table.rules.push_back({modules[i] + ".bn.running_mean", norm + "/moving_mean"});
    table.rules.push_back({modules[i] + ".bn.running_variance", norm + "/moving_variance"});
  }
  table.head = {{"head.classes.weight", "predictions/kernel", Axes::DenseIo},
                {"head.classes.bias", "predictions/bias"}};
  return table;
}

}  // namespace

std::vector<NameTable> inception_tables(const std::vector<std::string>& paths) {
  std::vector<std::string> modules;
  for (const std::string& path : paths)
    if (path.ends_with(kConv)) modules.push_back(path.substr(0, path.size() - kConv.size()));
  std::vector<size_t> construction(modules.size());
  for (size_t i = 0; i < modules.size(); ++i) construction[i] = i;

  NameTable torch{
      .name = "torchvision's names", .model = "vis-inc", .title = "InceptionV3", .pool_padding = PoolPadding::Counted};
  const auto branches = branches_of(modules);
  for (const std::string& module : modules) {
    const Place place = place_of(module);
    const std::string name = torch_name(place, branches.at(place.block + "." + place.branch));
    torch.rules.push_back({module + ".conv.weight", name + ".conv.weight", Axes::Oihw});
    torch.rules.push_back({module + ".bn.gamma", name + ".bn.weight", Axes::Same, true});
    torch.rules.push_back({module + ".bn.beta", name + ".bn.bias"});
    torch.rules.push_back({module + ".bn.running_mean", name + ".bn.running_mean"});
    torch.rules.push_back({module + ".bn.running_variance", name + ".bn.running_var"});
  }
  torch.head = {{"head.classes.weight", "fc.weight", Axes::DenseOi}, {"head.classes.bias", "fc.bias"}};
  return {keras_table(modules, construction, '#', "Keras' names"),
          keras_table(modules, depth_ranks(modules), '@', "Keras' layers in the order of depth"), torch};
}

}  // namespace avs::weights
