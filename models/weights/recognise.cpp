#include "models/weights/recognise.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <unordered_map>

namespace avs::weights {
namespace {

constexpr size_t kNamesShown = 5;

bool is_head(const Rule& rule) { return rule.path.starts_with("head."); }

// ---- bodies ----

// All rules of all tables, by key.
struct RuleIndex {
  struct Place {
    size_t table, rule;
  };
  std::unordered_map<std::string_view, std::vector<Place>> places;
  size_t longest = 0;  // length of the longest key

  RuleIndex() {
    const std::vector<NameTable>& tables = known_tables();
    for (size_t l = 0; l < tables.size(); ++l)
      for (size_t r = 0; r < tables[l].rules.size(); ++r)
        for (const std::string* key : {&tables[l].rules[r].key, &tables[l].rules[r].other_key}) {
          if (key->empty()) continue;
          places[*key].push_back({l, r});
          longest = std::max(longest, key->size());
        }
  }
};

// All pairs of table and prefix that match some tensor's name, sorted by number of tensors, descending; ties: the
// earlier table, then the shorter prefix.
std::vector<Body> bodies_of(const WeightSource& source) {
  static const RuleIndex index;
  std::map<std::pair<size_t, std::string>, std::set<size_t>> found;
  for (const SourceTensor& tensor : source.tensors) {
    const std::string_view key = tensor.key;
    for (size_t at = 0; at < key.size(); ++at) {
      const bool begins_word = at == 0 || key[at - 1] == '.' || key[at - 1] == '/';
      if (!begins_word || key.size() - at > index.longest) continue;
      const auto places = index.places.find(key.substr(at));
      if (places == index.places.end()) continue;
      for (const auto& [table, rule] : places->second) found[{table, std::string(key.substr(0, at))}].insert(rule);
    }
  }
  std::vector<Body> bodies;
  for (const auto& [place, rules] : found) bodies.push_back({&known_tables()[place.first], place.second, rules.size()});
  std::ranges::stable_sort(bodies, std::greater{}, &Body::found);
  return bodies;
}

bool is_whole(const Body& body, const std::map<std::string, const SourceTensor*>& by_key) {
  return std::ranges::all_of(body.table->rules, [&](const Rule& rule) {
    return rule.optional || by_key.contains(body.prefix + rule.key) ||
           (!rule.other_key.empty() && by_key.contains(body.prefix + rule.other_key));
  });
}

// "state_dict.model." has the words "state_dict" and "model".
bool has_word(const std::string& prefix, const std::string& word) {
  return ("." + prefix).find("." + word + ".") != std::string::npos;
}

std::string shown(const std::string& prefix) {
  return prefix.empty() ? "names without a prefix" : "'" + prefix.substr(0, 100) + "'";
}
std::string shown(const std::vector<Body>& bodies) {
  std::string text = shown(bodies.front().prefix);
  for (size_t i = 1; i < std::min(bodies.size(), kNamesShown); ++i)
    text += (i + 1 == bodies.size() ? " and " : ", ") + shown(bodies[i].prefix);
  return text + (bodies.size() > kNamesShown ? ", …" : "");
}

// Moves the preferred one of several complete bodies to the front; false: ambiguous.
bool order_bodies(std::vector<Body>& bodies, std::string& note) {
  // Averaged weights first, like timm; then the usual names of the network itself.
  static const char* const kAveraged[] = {"state_dict_ema", "model_ema", "ema_model", "ema"};
  static const char* const kNetwork[] = {"state_dict", "model_state_dict", "model", "net", "network"};
  const auto take = [&](const auto& is_meant, const char* why) {
    if (std::ranges::count_if(bodies, is_meant) != 1) return false;
    const auto meant = std::ranges::find_if(bodies, is_meant);
    std::rotate(bodies.begin(), meant, meant + 1);
    note = str("the file holds ", shown(bodies), ": ", why, " ", shown(bodies.front().prefix), " was taken");
    return true;
  };
  for (const char* word : kAveraged)
    if (take([&](const Body& body) { return has_word(body.prefix, word); }, "the averaged")) return true;
  for (const char* word : kNetwork)
    if (take([&](const Body& body) { return body.prefix.starts_with(str(word, ".")); }, "the network")) return true;
  return false;
}

std::string names_of(const WeightSource& source) {
  std::string names;
  for (size_t i = 0; i < std::min(source.tensors.size(), kNamesShown); ++i)
    names += (i == 0 ? "" : ", ") + source.tensors[i].name.substr(0, 100);
  return names + (source.tensors.size() > kNamesShown ? ", …" : "");
}

// Sizes of ConvNeXt: blocks per stage and channels of the first stage.
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

// DataError: the file holds a ConvNeXt of another size.
void check_depths(const Recognised& recognised, const std::string& file) {
  if (recognised.table.block_key == nullptr) return;
  const auto filter_of = [&](int stage, int block) {
    const auto found = recognised.by_key.find(recognised.prefix + recognised.table.block_key(stage, block));
    return found == recognised.by_key.end() ? nullptr : found->second;
  };
  std::array<int, 4> depths = {};
  for (int stage = 0; stage < 4; ++stage)
    while (filter_of(stage, depths[static_cast<size_t>(stage)]) != nullptr) ++depths[static_cast<size_t>(stage)];
  if (depths == kTinyDepths || std::find(depths.begin(), depths.end(), 0) != depths.end()) return;
  const std::vector<int64_t>& shape = filter_of(0, 0)->shape;
  // [c, 1, 7, 7] in PyTorch, [7, 7, 1, c] in Keras
  const int64_t width = shape.size() < 4 ? 0 : recognised.table.keras ? std::max(shape[2], shape[3]) : shape[0];
  std::string name = "a ConvNeXt";
  for (const Size& size : kSizes)
    if (size.depths == depths && size.width == width) name = str("ConvNeXt-", size.name);
  throw DataError(str(file, ": holds ", name, " (", text_of(depths), " blocks, ", width,
                      " channels); vis-conv is ConvNeXt-Tiny (", text_of(kTinyDepths), " blocks, 96 channels)"));
}

[[noreturn]] void refuse_unknown(const Recognised& file, const Body& nearest, const std::string& name) {
  throw DataError(str(name, ": ", file.source.description, " with ", file.source.tensors.size(),
                      " tensors of no network known here (", names_of(file.source), "); nearest is ",
                      nearest.table->title, " with ", nearest.table->name, ": ", nearest.found, " of its ",
                      nearest.table->rules.size(), " tensors are there"));
}

}  // namespace

std::string Recognised::describe() const {
  const bool obvious = source.container == Container::KerasLegacy || source.container == Container::Keras3;
  if (!obvious) return source.description + " with " + table.name;
  return source.description + (table.name == "Keras' names" ? "" : " with " + table.name);
}

const SourceTensor* Recognised::find(const Rule& rule) const {
  const bool in_head = is_head(rule);
  if (in_head && !head_prefix) return nullptr;
  const std::string& before = in_head ? *head_prefix : prefix;
  const auto found = by_key.find(before + rule.key);
  if (found != by_key.end()) return found->second;
  const auto other = rule.other_key.empty() ? by_key.end() : by_key.find(before + rule.other_key);
  return other == by_key.end() ? nullptr : other->second;
}

int64_t Recognised::classes() const {
  for (const Rule& rule : table.head)
    if (rule.path == "head.classes.bias")
      if (const SourceTensor* bias = find(rule); bias != nullptr && bias->shape.size() == 1) return bias->shape[0];
  return 0;
}

std::optional<std::string> Recognised::reason_to_leave_out(const SourceTensor& tensor) const {
  const bool inside = tensor.key.starts_with(prefix);
  const std::string key = inside ? tensor.key.substr(prefix.size()) : tensor.key;
  if (const auto reason = table.reason_to_skip(key)) return reason;
  if (inside && (table.own || table.is_of_body(key))) return std::nullopt;
  if (inside) return str("no layer of ", table.title, "'s body (a head of the file's own, say)");
  for (const std::string& other : other_prefixes)
    if (tensor.key.starts_with(other)) return str("of ", shown(other), ", which was not taken");
  return str("not of the network, whose names begin with ", shown(prefix));
}

namespace {

// Finds the classifier beside the body's layers or beside a wrapper of them. If there are further layers, it reads more
// than the pooled features, and our networks have no such head: nullopt.
std::optional<std::string> head_prefix_of(const Recognised& file) {
  std::string before = file.prefix;
  const auto is_there = [&](const Rule& rule) { return file.by_key.contains(before + rule.key); };
  while (!std::ranges::any_of(file.table.head, is_there)) {
    if (before.empty()) return std::nullopt;
    before.pop_back();
    before.resize(before.find_last_of("./") + 1);  // npos + 1 is 0
  }
  std::set<std::string> known;
  for (const Rule& rule : file.table.head) known.insert(before + rule.key);
  for (const Rule& rule : file.table.rules)
    if (const SourceTensor* tensor = file.find(rule); tensor != nullptr) known.insert(tensor->key);
  const auto is_another_layer = [&](const SourceTensor& tensor) {
    const std::string& key = tensor.key;
    const bool has_weight = key.ends_with(".weight") || key.ends_with("/kernel") || key.ends_with("/gamma");
    return has_weight && key.starts_with(before) && !known.contains(key) &&
           !file.table.reason_to_skip(key.substr(before.size())) &&
           std::ranges::none_of(file.other_prefixes,
                                [&](const auto& other) { return !other.empty() && key.starts_with(other); });
  };
  if (std::ranges::any_of(file.source.tensors, is_another_layer)) return std::nullopt;
  return before;
}

// Chooses one body of the file and lists the others.
void choose_body(Recognised& recognised, const std::string& model, const std::string& file) {
  const std::vector<Body> bodies = bodies_of(recognised.source);
  const Body best = bodies.empty() ? Body{&known_tables().front(), "", 0} : bodies.front();
  if (10 * best.found < 3 * best.table->rules.size()) refuse_unknown(recognised, best, file);
  std::vector<Body> whole;
  for (const Body& body : bodies)
    if (is_whole(body, recognised.by_key)) whole.push_back(body);
  const auto is_of_model = [&](const Body& body) { return body.table->model == model; };
  if (std::ranges::any_of(whole, is_of_model))
    std::erase_if(whole, [&](const Body& body) { return !is_of_model(body); });
  if (whole.size() > 1 && !order_bodies(whole, recognised.note))
    throw DataError(str(file, ": holds several networks, ", shown(whole),
                        ", and nothing tells which is meant: save the tensors of one of them alone"));
  if (whole.empty()) whole.push_back(best);
  recognised.table = *whole.front().table;
  recognised.prefix = whole.front().prefix;
  for (size_t i = 1; i < whole.size(); ++i) recognised.other_prefixes.push_back(whole[i].prefix);
}

}  // namespace

Recognised recognise(const std::filesystem::path& file, const std::string& model) {
  Recognised recognised;
  recognised.source = open_weight_file(file);
  std::vector<std::pair<const SourceTensor*, const SourceTensor*>> twice;
  for (const SourceTensor& tensor : recognised.source.tensors)
    if (const auto [at, is_new] = recognised.by_key.emplace(tensor.key, &tensor); !is_new)
      twice.emplace_back(at->second, &tensor);

  const auto own = recognised.source.metadata.find(kBackboneKey);
  if (own != recognised.source.metadata.end()) {
    try {
      recognised.own = backbone_options_from_json(own->second);
    } catch (const Error& error) {
      throw DataError(str(file.string(), ": ", error.what()));
    }
    if (!model.empty() && recognised.own->model != model)
      throw DataError(str(file.string(), ": is a checkpoint of ", recognised.own->model, ", not of ", model));
    recognised.head_prefix = "";
    return recognised;  // own_table() follows from the network
  }

  choose_body(recognised, model, file.string());
  check_depths(recognised, file.string());  // before the network's name: ConvNeXt-Small is not vis-conv either
  const NameTable& table = recognised.table;
  if (!model.empty() && table.model != model)
    throw DataError(str(file.string(), ": holds ", table.title, " (", recognised.describe(), "), which is ",
                        table.model, "; the network is ", model));
  recognised.head_prefix = head_prefix_of(recognised);
  for (const auto& pair : twice) {
    const auto finds_it = [&](const Rule& rule) { return recognised.find(rule) == pair.first; };
    if (std::ranges::any_of(table.rules, finds_it) || std::ranges::any_of(table.head, finds_it))
      throw DataError(
          str(file.string(), ": tensors '", pair.first->name, "' and '", pair.second->name, "' are the same layer's"));
  }
  return recognised;
}

}  // namespace avs::weights
