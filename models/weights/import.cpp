#include "models/weights/import.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "models/printable.h"
#include "models/weights/recognise.h"

namespace avs {
namespace {

using weights::Axes;
using weights::Recognised;
using weights::Rule;
using weights::SourceTensor;

constexpr std::array<float, 3> kMean = {0.485f, 0.456f, 0.406f}, kDeviation = {0.229f, 0.224f, 0.225f};

InputScale scale_of(const std::string& model) {  // input scale of our networks
  return model == "vis-conv" ? InputScale::ImageNet : InputScale::MinusOneToOne;
}

// One tensor of the network, its rule, and the file's tensor that fills it.
struct Slot {
  std::string path;
  Tensor value;  // shares the network's memory
  const Rule* rule = nullptr;
  const SourceTensor* source = nullptr;
  std::vector<float> values = {};
};

class Importer {
 public:
  Importer(Backbone& network, Recognised& file, const std::string& file_name, const ImportOptions& options)
      : network_(network), file_(file), file_name_(file_name), options_(options) {
    if (file_.own || file_.table.own) file_.table = weights::own_table(network, network.options().model);
  }

  ImportReport run() {
    report_.layout = file_.own ? "our own checkpoint" : file_.describe();
    report_.model = file_.table.title;
    report_.file_classes = file_.classes();
    report_.pool_padding = network_.options().pool_padding;
    report_.input_scale = options_.input_scale.value_or(file_.table.input_scale);
    if (!file_.note.empty()) report_.notes.push_back(file_.note);
    find_slots();
    choose_head();
    match();
    read_values();
    fold_gamma();
    convert_input_scale();
    write();
    return std::move(report_);
  }

 private:
  void find_slots() {
    for (Parameter* parameter : network_.parameters()) slots_.push_back({parameter->path, parameter->variable.value()});
    for (Buffer* buffer : network_.buffers()) slots_.push_back({buffer->path, buffer->value});
    const auto is_gamma_only_in_file = [&](const Rule& rule) {
      return rule.path.ends_with(".gamma") && find_slot(rule.path) == nullptr && file_.find(rule) != nullptr;
    };
    for (const Rule& rule : file_.table.rules)
      if (is_gamma_only_in_file(rule)) folded_gammas_.push_back({rule.path, {}, &rule, file_.find(rule), {}});
  }
  Slot* find_slot(const std::string& path) {
    for (Slot& slot : slots_)
      if (slot.path == path) return &slot;
    return nullptr;
  }

  // Takes the whole head or none of it.
  void choose_head() {
    const std::vector<Rule>& rules = file_.table.head;
    const bool in_file =
        std::any_of(rules.begin(), rules.end(), [&](const Rule& r) { return file_.find(r) != nullptr; });
    bool fitting = in_file && !file_.source.metadata.contains(kUntrainedHeadKey);
    size_t wanted = 0;
    for (const Slot& slot : slots_) wanted += slot.path.starts_with("head.") ? 1 : 0;
    fitting = fitting && wanted == rules.size();
    for (const Rule& rule : rules) {
      const Slot* const slot = find_slot(rule.path);
      const SourceTensor* const source = file_.find(rule);
      fitting = fitting && slot != nullptr && source != nullptr &&
                weights::fits(rule.axes, slot->value.shape(), source->shape);
    }
    report_.head_taken = fitting;
    const BackboneOptions& o = network_.options();
    const std::string own_head = str(o.head == HeadKind::Direct ? "" : "FC(1024) and ", "FC(", o.classes, ")");
    if (!fitting) report_.defaults.push_back("head: " + own_head + " keeps its own values");
    if (!in_file || fitting) return;
    const std::string why =
        file_.source.metadata.contains(kUntrainedHeadKey)
            ? ": was never trained"
            : str(": the classifier of ", file_.classes(), " classes; the network's head is ", own_head);
    for (const SourceTensor& tensor : file_.source.tensors) {
      const auto is_it = [&](const Rule& rule) { return file_.find(rule) == &tensor; };
      if (std::ranges::any_of(rules, is_it) || (file_.table.own && tensor.key.starts_with(file_.prefix + "head."))) {
        taken_care_of_.insert(&tensor);
        report_.skipped.push_back(tensor.name + why);
      }
    }
  }

  // ---- matching tensors ----

  void match() {
    std::vector<std::string> missing, unexpected, misshapen;
    const auto take = [&](Slot& slot) {
      taken_care_of_.insert(slot.source);
      if (!weights::fits(slot.rule->axes, slot.value.shape(), slot.source->shape))
        misshapen.push_back(str(slot.source->name, "  file ", weights::text_of(slot.source->shape), ", needed ",
                                weights::expected_shape(slot.rule->axes, slot.value.shape()), "  (", slot.path, ")"));
    };
    std::map<std::string, const Rule*> rules;
    for (const Rule& rule : file_.table.rules) rules[rule.path] = &rule;
    for (const Rule& rule : file_.table.head) rules[rule.path] = &rule;
    for (Slot& slot : slots_) {
      if (slot.path.starts_with("head.") && !report_.head_taken) continue;
      const auto rule = rules.find(slot.path);
      slot.rule = rule == rules.end() ? nullptr : rule->second;
      slot.source = slot.rule == nullptr ? nullptr : file_.find(*slot.rule);
      if (slot.source != nullptr) {
        take(slot);
      } else if (slot.rule != nullptr && slot.rule->optional) {
        fill_default(slot);
      } else {
        missing.push_back(slot.rule == nullptr ? slot.path
                                               : str(file_.prefix, slot.rule->key, "  ",
                                                     weights::expected_shape(slot.rule->axes, slot.value.shape()),
                                                     "  (", slot.path, ")"));
      }
    }
    for (Slot& gamma : folded_gammas_) {
      Slot* const conv = find_slot(conv_of(gamma.path));
      gamma.value = conv == nullptr ? Tensor::zeros({0}) : Tensor::zeros({conv->value.shape()[0]});
      take(gamma);
    }
    for (const SourceTensor& tensor : file_.source.tensors) {
      if (taken_care_of_.contains(&tensor)) continue;
      if (const auto reason = file_.reason_to_leave_out(tensor))
        report_.skipped.push_back(tensor.name + ": " + *reason);
      else
        unexpected.push_back(tensor.name + "  " + weights::text_of(tensor.shape));
    }
    if (missing.empty() && unexpected.empty() && misshapen.empty()) return;
    if (missing.empty() && unexpected.empty() && 2 * misshapen.size() > slots_.size()) refuse_width(misshapen.front());
    throw DataError(str(file_name_, ": the tensors are not those of ", network_.options().model,
                        "; the nearest known layout is ", file_.table.title, ", ", report_.layout, ":",
                        listed("missing", missing), listed("unexpected", unexpected), listed("misshapen", misshapen)));
  }
  // All names match but no shape fits: one line instead of hundreds.
  [[noreturn]] void refuse_width(const std::string& first) const {
    throw DataError(str(file_name_, ": is ", file_.table.title, " of another width than the network's, which is ",
                        network_.options().width, " (published files are of width 1; --width says another): ", first));
  }
  void fill_default(Slot& slot) {
    const bool gain = slot.path.ends_with("gamma") || slot.path.ends_with("gain");
    slot.values.assign(static_cast<size_t>(slot.value.size()), gain ? 1.0f : 0.0f);
    if (slot.path.ends_with("bn.gamma")) {
      ++default_gammas_;
      return;
    }
    report_.defaults.push_back(str(slot.path, ": ", gain ? 1 : 0, ", the file has none"));
  }
  static std::string conv_of(const std::string& gamma_path) {  // x.bn.gamma → x.conv.weight
    return gamma_path.substr(0, gamma_path.size() - std::string_view("bn.gamma").size()) + "conv.weight";
  }

  // ---- the values ----

  void read_values() {
    const auto read = [&](Slot& slot) {
      if (slot.source == nullptr) return;
      std::vector<float> values = slot.source->read();
      if (static_cast<int64_t>(values.size()) != slot.value.size())
        throw DataError(str(file_name_, ": tensor '", slot.source->name, "' has ", values.size(), " values"));
      const bool variance = slot.path.ends_with("running_variance");
      for (const float value : values)
        if (!std::isfinite(value) || (variance && value < 0))
          throw DataError(str(file_name_, ": tensor '", slot.source->name, "' holds ", value,
                              variance ? ", which no variance is" : ", which no weight is"));
      slot.values = weights::reorder(slot.rule->axes, slot.value.shape(), std::move(values));
      report_.used.push_back(slot.source->name);
      report_.parameters += slot.value.size();
    };
    for (Slot& slot : slots_) read(slot);
    for (Slot& slot : folded_gammas_) read(slot);
    if (default_gammas_ > 0)
      report_.defaults.push_back(str(default_gammas_, " BatchNorm gammas: 1, the file has none"));
    const Slot* const last_gain = find_slot("norm.gain");
    if (last_gain != nullptr && last_gain->source != nullptr && file_.table.keras && file_.classes() == 0 &&
        std::all_of(last_gain->values.begin(), last_gain->values.end(), [](float v) { return v == 1.0f; }))
      report_.notes.push_back(
          "the last LayerNorm is at gamma 1, as Keras leaves it in its file without top; the file with top has it");
  }

  // gamma (w.x - mean) / s + beta = (gamma w . x - gamma mean) / s + beta: exact in inference. In training the batch
  // statistics would undo it; WeightFile::options() therefore gives the network a gamma.
  void fold_gamma() {
    size_t folded = 0;
    for (const Slot& gamma : folded_gammas_) {
      if (std::all_of(gamma.values.begin(), gamma.values.end(), [](float v) { return v == 1.0f; })) continue;
      ++folded;
      Slot* const conv = find_slot(conv_of(gamma.path));
      const std::string norm = gamma.path.substr(0, gamma.path.size() - std::string_view("gamma").size());
      Slot* const mean = find_slot(norm + "running_mean");
      const size_t filter = conv->values.size() / gamma.values.size();
      for (size_t k = 0; k < gamma.values.size(); ++k) {
        for (size_t i = 0; i < filter; ++i) conv->values[k * filter + i] *= gamma.values[k];
        mean->values[k] *= gamma.values[k];
      }
    }
    if (folded > 0)
      report_.notes.push_back(str(folded,
                                  " BatchNorm gammas were multiplied into the convolutions before them: exact in "
                                  "inference and frozen, lost in training (the network has no gamma)"));
  }

  // The first convolution was trained on v = a u + b per channel; our input is u. It has no padding, so
  // w.v = (w a).u + sum(w b): scale the filter; add the constant to the bias or subtract it from the mean.
  void convert_input_scale() {
    const InputScale ours = scale_of(network_.options().model), theirs = report_.input_scale;
    if (is_sound(network_.modality()) || ours == theirs) return;
    Slot* const conv = find_slot(ours == InputScale::ImageNet ? "stem.conv.weight" : "stem.0.conv.weight");
    Slot* const constant = find_slot(ours == InputScale::ImageNet ? "stem.conv.bias" : "stem.0.bn.running_mean");
    const float sign = ours == InputScale::ImageNet ? 1.0f : -1.0f;
    const size_t filter = conv->values.size() / constant->values.size();
    for (size_t k = 0; k < constant->values.size(); ++k) {
      double moved = 0;
      for (size_t i = 0; i < filter; ++i) {
        const size_t c = i % 3;
        // pixel p in 0..1: MinusOneToOne is 2 p - 1, ImageNet is (p - m) / d
        const float a = theirs == InputScale::ImageNet ? 0.5f / kDeviation[c] : 2 * kDeviation[c];
        const float b = theirs == InputScale::ImageNet ? (0.5f - kMean[c]) / kDeviation[c] : 2 * kMean[c] - 1;
        float& w = conv->values[k * filter + i];
        moved += static_cast<double>(w) * b;
        w *= a;
      }
      constant->values[k] += sign * static_cast<float>(moved);
    }
    report_.notes.push_back(
        str("the first convolution was converted from input ", name_of(theirs), " to ", name_of(ours)));
  }

  void write() {
    for (Slot& slot : slots_)
      if (!slot.values.empty())
        slot.value.copy_from(
            Tensor::from(slot.value.shape(), std::span<const float>(slot.values)).to(slot.value.device()));
    network_.training() ? network_.train() : network_.eval();  // refresh folded filters
  }

  Backbone& network_;
  Recognised& file_;
  std::string file_name_;
  const ImportOptions& options_;
  ImportReport report_;
  std::vector<Slot> slots_, folded_gammas_;
  std::set<const SourceTensor*> taken_care_of_;  // used, or skipped with a reason
  int64_t default_gammas_ = 0;
};

}  // namespace

std::string_view name_of(InputScale scale) {
  return scale == InputScale::ImageNet ? "ImageNet mean and deviation" : "-1..1";
}

WeightFile::WeightFile(const std::filesystem::path& file, const std::string& model, const ImportOptions& import)
    : name_(file.string()), import_(import), file_(std::make_shared<Recognised>(weights::recognise(file, model))) {}

BackboneOptions WeightFile::options(BackboneOptions base) const {
  if (file_->own) {
    base.batch_norm_gamma = file_->own->batch_norm_gamma;
    base.pool_padding = import_.pool_padding.value_or(file_->own->pool_padding);
    return base;
  }
  base.pool_padding = import_.pool_padding.value_or(file_->table.pool_padding);
  if (file_->table.own) return base;
  const auto has_gamma = [&](const Rule& rule) {
    return rule.path.ends_with("bn.gamma") && file_->find(rule) != nullptr;
  };
  base.batch_norm_gamma = std::ranges::any_of(file_->table.rules, has_gamma) ? Gamma::Learned : Gamma::One;
  return base;
}

ImportReport WeightFile::load_into(Backbone& network) const {
  const BackboneOptions& o = network.options();
  if (file_->own && file_->own->width != o.width)
    throw DataError(str(name_, ": is a checkpoint of width ", file_->own->width, ", the network has width ", o.width));
  const PoolPadding wanted = options(o).pool_padding;
  if (o.model == "vis-inc" && o.pool_padding != wanted)
    throw UsageError(str(name_, ": these weights ", wanted == PoolPadding::Counted ? "count" : "ignore",
                         " padding in average pools and the network was made to do otherwise; make it with "
                         "WeightFile::options(), or override the file"));
  return Importer(network, *file_, name_, import_).run();
}

std::unique_ptr<Backbone> make_backbone_from_weights(const BackboneOptions& base, const std::filesystem::path& file,
                                                     const ImportOptions& import, ImportReport* report) {
  const WeightFile weights(file, base.model, import);
  Recognised& recognised = *weights.file_;
  BackboneOptions options = weights.options(base);
  if (options.model.empty()) options.model = recognised.table.model;
  if (recognised.own) {
    options = *recognised.own;
    options.pool_padding = import.pool_padding.value_or(options.pool_padding);
  }
  std::unique_ptr<Backbone> network;
  ImportReport made;
  while (true) {
    const bool takes_classifier = !recognised.own && recognised.classes() >= 2;
    BackboneOptions wanted = options;
    if (takes_classifier) {
      wanted.classes = recognised.classes();
      wanted.head = HeadKind::Direct;
    }
    network = make_backbone(wanted, FirstWeights::NotDrawn);
    network->eval();
    made = weights.load_into(*network);
    if (made.head_taken || !takes_classifier || recognised.table.own) break;
    recognised.head_prefix.reset();  // the file's classifier has further layers: ignore it
  }
  if (!made.head_taken) network->draw_head();
  if (report != nullptr) *report = std::move(made);
  return network;
}

}  // namespace avs
