#include "models/fusion.h"

#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "autograd/functions.h"
#include "layers/init.h"
#include "tensor/require.h"

namespace avs {
namespace {

constexpr std::array<std::string_view, 6> kMethods = {"f1", "f2", "f3", "f4", "f5", "f6"};

bool is_sound_name(const std::string& name) { return name.starts_with("aud-"); }
bool is_picture_name(const std::string& name) { return name.starts_with("vis-"); }

// f4..f6 have the formulas of f1..f3.
enum class Form : uint8_t { All, Grouped, Concatenated };
Form form_of(FusionMethod method) { return static_cast<Form>(static_cast<int>(method) % 3); }

void check(const FusionOptions& options) {
  require<UsageError>(!options.inputs.empty(), "fusion: no embeddings to fuse");
  require<UsageError>(options.embedding_size > 0, "fusion: the embeddings have no values");
  require<UsageError>(options.classes >= 2, "fusion: at least 2 classes are needed, got ", options.classes);
  std::set<std::string> seen;
  for (const std::string& name : options.inputs) {
    require<UsageError>(is_sound_name(name) || is_picture_name(name), "fusion: '", name,
                        "' begins with neither aud- nor vis-");
    require<UsageError>(seen.insert(name).second, "fusion: '", name, "' is given twice");
  }
}

template <typename T>
std::vector<T> pick(const std::vector<T>& all, const std::vector<size_t>& which) {
  std::vector<T> some;
  for (const size_t i : which) some.push_back(all[i]);
  return some;
}

}  // namespace

std::string_view name_of(FusionMethod method) { return kMethods.at(static_cast<size_t>(method)); }

FusionMethod fusion_method_of(std::string_view name) {
  for (size_t i = 0; i < kMethods.size(); ++i)
    if (name == kMethods[i]) return static_cast<FusionMethod>(i);
  throw UsageError(str("fusion method '", name, "': expected f1, f2, f3, f4, f5 or f6"));
}

std::string_view name_of(EmbeddingLayer layer) { return layer == EmbeddingLayer::Fc1024 ? "fc1024" : "fc10"; }

EmbeddingLayer layer_of(FusionMethod method) {
  return method <= FusionMethod::F3 ? EmbeddingLayer::Fc1024 : EmbeddingLayer::Fc10;
}

std::string to_json(const FusionOptions& options) {
  return nlohmann::json{{"method", name_of(options.method)},
                        {"inputs", options.inputs},
                        {"embedding_size", options.embedding_size},
                        {"classes", options.classes},
                        {"activation", options.activation == Activation::Relu ? "relu" : "none"},
                        {"seed", options.seed}}
      .dump();
}

FusionOptions fusion_options_from_json(std::string_view json) {
  try {
    const nlohmann::json j = nlohmann::json::parse(json);
    FusionOptions options;
    options.method = fusion_method_of(j.at("method").get<std::string>());
    options.inputs = j.at("inputs").get<std::vector<std::string>>();
    options.embedding_size = j.at("embedding_size").get<int64_t>();
    options.classes = j.at("classes").get<int64_t>();
    options.activation = j.at("activation").get<std::string>() == "relu" ? Activation::Relu : Activation::None;
    options.seed = j.at("seed").get<uint64_t>();
    check(options);
    return options;
  } catch (const nlohmann::json::exception& error) {
    throw DataError(str("fusion options are not what this project writes: ", error.what()));
  } catch (const UsageError& error) {
    throw DataError(error.what());
  }
}

FusionNet::Sum::Sum(const std::vector<std::string>& terms, int64_t size, Activation activation)
    : activation_(activation) {
  const float share = 1.0f / static_cast<float>(terms.size());
  for (const std::string& term : terms) weights_.push_back(&param("weight." + term, {size}, Init::constant(share)));
  bias_ = &param("bias", {size}, Init::constant(0.0f), Decay::No);
}

Variable FusionNet::Sum::run(const std::vector<Variable>& x) const {
  std::vector<Variable> weights;
  for (const Parameter* weight : weights_) weights.push_back(weight->variable);
  return weighted_sum(x, weights, bias_->variable, activation_);
}

FusionNet::FusionNet(FusionOptions options) : options_(std::move(options)) {
  check(options_);
  for (size_t i = 0; i < options_.inputs.size(); ++i)
    (is_sound_name(options_.inputs[i]) ? sound_ : pictures_).push_back(i);
  const int64_t size = options_.embedding_size;
  const auto sum = [&](const std::string& name, const std::vector<std::string>& terms) {
    return &child<Sum>(name, terms, size, options_.activation);
  };
  const Form form = form_of(options_.method);
  std::vector<std::string> groups;
  if (form == Form::All) {
    all_ = sum("all", options_.inputs);
  } else {
    if (!sound_.empty()) sound_sum_ = sum("sound", pick(options_.inputs, sound_));
    if (!pictures_.empty()) picture_sum_ = sum("pictures", pick(options_.inputs, pictures_));
    if (sound_sum_ != nullptr) groups.push_back("sound");
    if (picture_sum_ != nullptr) groups.push_back("pictures");
  }
  if (form == Form::Grouped) joint_ = sum("joint", groups);
  const int64_t width = form == Form::Concatenated ? size * static_cast<int64_t>(groups.size()) : size;
  classifier_ = &child<Linear>("classifier", width, options_.classes);
  initialize(*this, options_.seed);
}

std::vector<Variable> FusionNet::group_sums(const std::vector<Variable>& x) const {
  std::vector<Variable> sums;
  if (sound_sum_ != nullptr) sums.push_back(sound_sum_->run(pick(x, sound_)));
  if (picture_sum_ != nullptr) sums.push_back(picture_sum_->run(pick(x, pictures_)));
  return sums;
}

Variable FusionNet::run(const std::vector<Variable>& x) {
  AVS_CHECK(ShapeError, x.size() == options_.inputs.size(), "fusion: ", x.size(), " embeddings given, ",
            options_.inputs.size(), " expected");
  switch (form_of(options_.method)) {
    case Form::All: return (*classifier_)(all_->run(x));
    case Form::Grouped: return (*classifier_)(joint_->run(group_sums(x)));
    case Form::Concatenated: break;
  }
  const std::vector<Variable> sums = group_sums(x);
  return (*classifier_)(sums.size() == 1 ? sums.front() : concat(sums));
}

std::unique_ptr<FusionNet> load_fusion(const Checkpoint& checkpoint, const std::string& origin) {
  const auto found = checkpoint.metadata.find(kFusionKey);
  require<DataError>(found != checkpoint.metadata.end(), origin, ": not a fusion trained by this project");
  auto net = std::make_unique<FusionNet>(fusion_options_from_json(found->second));
  try {
    load_parameters(*net, checkpoint);
  } catch (DataError& error) {
    error.add_context("in " + origin);
    throw;
  }
  net->eval();
  return net;
}

}  // namespace avs
