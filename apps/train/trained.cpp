#include "apps/train/trained.h"

#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "models/file.h"
#include "tensor/error.h"
#include "tensor/require.h"

namespace avs {
namespace {

constexpr const char* kUnchecked = "{}: has no checksum, damage would not be noticed";

std::filesystem::path checkpoint_of(const std::filesystem::path& run) {
  if (!std::filesystem::is_directory(run)) {
    require<DataError>(std::filesystem::exists(run), run.string(), ": no such RUN folder");
    return run;
  }
  const std::filesystem::path best = run / "best.safetensors";
  require<DataError>(std::filesystem::exists(best), run.string(), ": holds no best.safetensors; is its training done?");
  return best;
}

const std::string& text_at(const Checkpoint& checkpoint, const std::string& key, const std::filesystem::path& file) {
  const auto found = checkpoint.metadata.find(key);
  require<DataError>(found != checkpoint.metadata.end(), file.string(),
                     ": not trained by this project (its metadata lack '", key, "')");
  return found->second;
}

// Runs a reader of metadata and puts the file's name on what goes wrong.
template <typename Read>
auto read_metadata(const std::filesystem::path& file, const Read& read) {
  try {
    return read();
  } catch (const nlohmann::json::exception& error) {
    throw DataError(str(file.string(), ": damaged metadata: ", error.what()));
  } catch (const UsageError& error) {
    throw DataError(str(file.string(), ": ", error.what()));
  }
}

}  // namespace

Checkpoint load_checkpoint(const std::filesystem::path& file) {
  Checkpoint checkpoint = Checkpoint::load(file);
  if (!checkpoint.was_checked) spdlog::warn(kUnchecked, file.string());
  return checkpoint;
}

void warn_of_unchecked(const EmbeddingSet& set) {
  for (const std::string& file : set.unchecked) spdlog::warn(kUnchecked, file);
}

TrainedBackbone load_trained_backbone(const std::filesystem::path& run) {
  TrainedBackbone trained;
  trained.file = checkpoint_of(run);
  const Checkpoint checkpoint = load_checkpoint(trained.file);
  return read_metadata(trained.file, [&] {
    trained.classes = strings_from_json(text_at(checkpoint, "classes", trained.file));
    trained.inputs = inputs_from_json(text_at(checkpoint, "inputs", trained.file));
    trained.net = load_backbone(checkpoint, trained.file.string());
    trained.hash = file_hash(trained.file);
    return std::move(trained);
  });
}

TrainedFusionRun load_trained_fusion(const std::filesystem::path& run) {
  TrainedFusionRun trained;
  const std::filesystem::path file = checkpoint_of(run);
  trained.folder = std::filesystem::absolute(file).parent_path();
  const Checkpoint checkpoint = load_checkpoint(file);
  return read_metadata(file, [&] {
    trained.net = load_fusion(checkpoint, file.string());
    trained.classes = strings_from_json(text_at(checkpoint, "classes", file));
    for (const nlohmann::json& j : nlohmann::json::parse(text_at(checkpoint, "backbones", file)))
      trained.inputs.push_back({{j.at("name"), j.at("run"), j.at("hash")}, j.at("relative")});
    require<DataError>(trained.inputs.size() == trained.net->options().inputs.size(), file.string(), ": names ",
                       trained.inputs.size(), " backbones for ", trained.net->options().inputs.size(), " inputs");
    return std::move(trained);
  });
}

TrainedBackbone load_input_backbone(const TrainedFusionRun& fusion, size_t i) {
  const FusionInput& input = fusion.inputs.at(i);
  const std::filesystem::path beside = (fusion.folder / input.relative_run).lexically_normal();
  const std::filesystem::path before = input.source.run;
  for (const std::filesystem::path& place : {beside, before}) {
    if (!std::filesystem::exists(place)) continue;
    TrainedBackbone backbone = load_trained_backbone(place);
    require<DataError>(backbone.hash == input.source.hash, backbone.file.string(),
                       ": not the checkpoint that the fusion in ", fusion.folder.string(),
                       " learned from; extract the embeddings and train the fusion again");
    return backbone;
  }
  throw DataError(str("backbone '", input.source.name, "' of the fusion in ", fusion.folder.string(), " is neither at ",
                      beside.string(), " nor at ", before.string()));
}

void check_classes(const std::vector<std::string>& of_model, const std::vector<std::string>& of_data,
                   const std::string& what) {
  require<DataError>(of_model == of_data, what, " was trained for the classes ", strings_to_json(of_model),
                     ", the clips have ", strings_to_json(of_data));
}

std::string fingerprint_to_json(const data::Fingerprint& print) {
  return nlohmann::ordered_json{{"contents", print.contents}, {"labels", print.labels}}.dump();
}

data::Fingerprint fingerprint_from_json(const std::string& json) {
  const nlohmann::json j = nlohmann::json::parse(json);
  return {j.at("contents"), j.at("labels")};
}

std::string inputs_to_json(const data::CacheOptions& inputs) {
  return nlohmann::ordered_json{{"frames_per_second", inputs.frames.frames_per_second},
                                {"max_seconds", inputs.frames.max_seconds},
                                {"image_size", inputs.frames.image_size},
                                {"cqt", data::name_of(inputs.spectrograms.cqt)}}
      .dump();
}

data::CacheOptions inputs_from_json(const std::string& json) {
  const nlohmann::json j = nlohmann::json::parse(json);
  data::CacheOptions inputs;
  inputs.frames.frames_per_second = j.at("frames_per_second");
  inputs.frames.max_seconds = j.at("max_seconds");
  inputs.frames.image_size = j.at("image_size");
  inputs.spectrograms.cqt = data::cqt_range_from_name(j.at("cqt").get<std::string>());
  return inputs;
}

std::string fusion_inputs_to_json(const std::vector<FusionInput>& inputs) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const FusionInput& input : inputs)
    json.push_back({{"name", input.source.name},
                    {"run", input.source.run},
                    {"relative", input.relative_run},
                    {"hash", input.source.hash}});
  return json.dump();
}

std::string strings_to_json(const std::vector<std::string>& values) { return nlohmann::json(values).dump(); }

std::vector<std::string> strings_from_json(const std::string& json) {
  return nlohmann::json::parse(json).get<std::vector<std::string>>();
}

}  // namespace avs
