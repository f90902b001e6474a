#include "models/backbone.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/profile.h"
#include "layers/linear.h"
#include "models/convnext_tiny.h"
#include "models/inception_v3.h"
#include "models/printable.h"
#include "models/residual_inception.h"
#include "tensor/holders.h"
#include "tensor/require.h"

namespace avs {
namespace {

using Json = nlohmann::json;

struct Entry {
  std::string name;
  Modality modality;
  std::unique_ptr<Backbone> (*make)(const BackboneOptions&);
};

template <typename Network>
std::unique_ptr<Backbone> make(const BackboneOptions& options) {
  return std::make_unique<Network>(options);
}

const std::vector<Entry>& registry() {
  static const std::vector<Entry> entries = {
      {"aud-mel", Modality::Mel, make<ResidualInception>}, {"aud-gam", Modality::Gammatone, make<ResidualInception>},
      {"aud-cqt", Modality::Cqt, make<ResidualInception>}, {"vis-inc", Modality::Frames, make<InceptionV3>},
      {"vis-conv", Modality::Frames, make<ConvNextTiny>},
  };
  return entries;
}

const Entry& entry_of(const std::string& model) {
  for (const Entry& entry : registry())
    if (entry.name == model) return entry;
  throw UsageError(str("unknown model '", model, "'; the models are ", joined(backbone_names())));
}

void check(const BackboneOptions& o) {
  require<UsageError>(o.classes >= 2, "a classifier needs at least 2 classes, got ", o.classes);
  require<UsageError>(o.width > 0 && o.width <= 4, "the width multiplier is above 0 and at most 4, got ", o.width);
  require<UsageError>(o.image_size >= 75 && o.image_size <= 512, "the image size is 75 to 512, got ", o.image_size);
  require<UsageError>(o.dropout >= 0 && o.dropout < 1, "the dropout rate is in [0, 1), got ", o.dropout);
  require<UsageError>(o.batch_norm_new_value_weight > 0 && o.batch_norm_new_value_weight <= 1,
                      "the weight of new BatchNorm statistics is in (0, 1], got ", o.batch_norm_new_value_weight);
}

// The shortest decimal that reads back as the same float: 0.2, not 0.20000000298023224.
Json decimal(float value) { return Json::parse(fmt::format("{}", value)); }

}  // namespace

// ---- options as text ----

std::string to_json(const BackboneOptions& o) {
  return Json{{"model", o.model},
              {"classes", o.classes},
              {"width", o.width},
              {"image_size", o.image_size},
              {"dropout", decimal(o.dropout)},
              {"pool_padding", o.pool_padding == PoolPadding::Ignored ? "ignored" : "counted"},
              {"batch_norm_gamma", o.batch_norm_gamma == Gamma::One ? "one" : "learned"},
              {"head", o.head == HeadKind::Hidden1024 ? "hidden1024" : "direct"},
              {"batch_norm_new_value_weight", decimal(o.batch_norm_new_value_weight)},
              {"seed", o.seed}}
      .dump();
}

BackboneOptions backbone_options_from_json(std::string_view json) {
  try {
    const Json j = Json::parse(json);
    BackboneOptions o;
    o.model = j.at("model").get<std::string>();
    o.classes = j.at("classes").get<int64_t>();
    o.width = j.at("width").get<double>();
    o.image_size = j.at("image_size").get<int64_t>();
    o.dropout = j.at("dropout").get<float>();
    const auto padding = j.at("pool_padding").get<std::string>();
    require<DataError>(padding == "ignored" || padding == "counted", "pool_padding is '", padding, "'");
    o.pool_padding = padding == "ignored" ? PoolPadding::Ignored : PoolPadding::Counted;
    const auto gamma = j.value("batch_norm_gamma", "one"), head = j.value("head", "hidden1024");
    require<DataError>(gamma == "one" || gamma == "learned", "batch_norm_gamma is '", gamma, "'");
    require<DataError>(head == "hidden1024" || head == "direct", "head is '", head, "'");
    o.batch_norm_gamma = gamma == "one" ? Gamma::One : Gamma::Learned;
    o.head = head == "hidden1024" ? HeadKind::Hidden1024 : HeadKind::Direct;
    o.batch_norm_new_value_weight = j.at("batch_norm_new_value_weight").get<float>();
    o.seed = j.at("seed").get<uint64_t>();
    return o;
  } catch (const Json::exception& error) {
    throw DataError(str("not the options of a backbone: ", error.what()));
  }
}

// ---- the common end ----

class Backbone::Head final : public Module {
 public:
  Head(int64_t features, const BackboneOptions& options, RandomState& random)
      : fc1024_(options.head == HeadKind::Direct ? nullptr : &child<Linear>("fc1024", features, 1024)),
        dropout_(child<Dropout>("dropout", options.dropout, random)),
        classes_(child<Linear>("classes", fc1024_ == nullptr ? features : 1024, options.classes)) {}

  BackboneOutput operator()(const Variable& pool) {
    BackboneOutput output;
    output.pool = pool;
    if (fc1024_ != nullptr) output.fc1024 = relu((*fc1024_)(pool));
    output.logits = classes_(dropout_(fc1024_ == nullptr ? pool : output.fc1024));
    return output;
  }

 private:
  Linear* fc1024_;  // null under a direct head
  Dropout& dropout_;
  Linear& classes_;
};

Backbone::Backbone(BackboneOptions options, Modality modality) : options_(std::move(options)), modality_(modality) {
  check(options_);
}

void Backbone::add_head() { head_ = &child<Head>("head", features(), options_, random_); }

void Backbone::draw_weights() { initialize(*this, options_.seed); }
void Backbone::draw_head() { initialize(*head_, options_.seed); }

Shape Backbone::input_shape() const {
  return is_sound(modality_) ? Shape{128, 704, 6} : Shape{options_.image_size, options_.image_size, 3};
}

void Backbone::moved(Device device) {
  random_.to(device);
  if (!pixel_scale_.scale.defined()) return;
  pixel_scale_.scale = pixel_scale_.scale.to(device);
  pixel_scale_.shift = pixel_scale_.shift.to(device);
}

void Backbone::preprocess_pixels(const std::vector<float>& scale, const std::vector<float>& shift) {
  const auto c = static_cast<int64_t>(scale.size());
  pixel_scale_.scale = Tensor::from({c}, std::span<const float>(scale));
  pixel_scale_.shift = Tensor::from({c}, std::span<const float>(shift));
}

Tensor Backbone::load(const Samples& samples) const {
  const HolderScope scope("the batch");
  const Tensor x = samples.x.to(device());
  const MixupPlan mixup = samples.mixup.to(device());
  if (is_sound(modality_)) return mixup.defined() ? ops::mixup(x, mixup) : x;
  PictureBoxes boxes = samples.boxes;
  if (boxes.defined()) boxes.boxes = boxes.boxes.to(device());
  PixelScale scale = pixel_scale_;
  scale.dtype = compute_dtype_;
  return ops::load_pictures(x, boxes, mixup, scale);
}

BackboneOutput Backbone::run(const Samples& samples) {
  try {
    check_input(samples.shape());
    const Variable x(load(samples));
    profile::charge("load", "", profile::Direction::Forward);
    return (*head_)(cast(body(x), DType::F32));
  } catch (Error& error) {
    error.add_context(str("in backbone ", options_.model, " with input ", samples.shape()));
    throw;
  }
}

void Backbone::freeze_through(const std::string& stage) {
  const std::vector<std::string> known = stages();
  const bool found = std::find(known.begin(), known.end(), stage) != known.end() && freeze_children_through(stage);
  if (!found) throw UsageError(str(options_.model, " has no stage '", stage, "'; its stages are ", joined(known)));
}

// ---- making one ----

std::unique_ptr<Backbone> make_backbone(const BackboneOptions& options, FirstWeights first) {
  std::unique_ptr<Backbone> backbone = entry_of(options.model).make(options);
  if (first == FirstWeights::Drawn) backbone->draw_weights();
  return backbone;
}

const std::vector<std::string>& backbone_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Entry& entry : registry()) all.push_back(entry.name);
    return all;
  }();
  return names;
}

Modality modality_of(const std::string& model) { return entry_of(model).modality; }

std::unique_ptr<Backbone> load_backbone(const Checkpoint& checkpoint, const std::string& origin,
                                        const std::string& prefix) {
  const auto found = checkpoint.metadata.find(kBackboneKey);
  require<DataError>(found != checkpoint.metadata.end(), origin, ": the metadata has no entry '", kBackboneKey,
                     "', so this is not a backbone's checkpoint");
  try {
    std::unique_ptr<Backbone> backbone =
        make_backbone(backbone_options_from_json(found->second), FirstWeights::NotDrawn);
    load_parameters(*backbone, checkpoint, prefix);
    backbone->eval();
    return backbone;
  } catch (const Error& error) {
    throw DataError(str(origin, ": ", error.what()));
  }
}

}  // namespace avs
