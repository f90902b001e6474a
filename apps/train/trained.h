// Trained models as they lie in RUN folders: a checkpoint, and in its metadata what it takes to use it again.
//
//   metadata of a backbone   backbone (its options), classes, inputs (how clips become its input), data (fingerprint of
//                            the cache), config, epoch, …
//   metadata of a fusion     fusion (its options), classes, backbones (name, run, relative, hash), config, epoch, …
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/backbone.h"
#include "models/checkpoint.h"
#include "models/data/cache.h"
#include "models/data/embeddings.h"
#include "models/fusion.h"

namespace avs {

struct TrainedBackbone {
  std::unique_ptr<Backbone> net;  // in inference mode
  std::vector<std::string> classes;
  data::CacheOptions inputs;   // the options of the cache it was trained on
  std::filesystem::path file;  // the checkpoint
  std::string hash;            // the file's
};

// Checkpoint::load, and one line in the log where the file was written before checkpoints had a checksum.
Checkpoint load_checkpoint(const std::filesystem::path& file);
void warn_of_unchecked(const EmbeddingSet& set);  // the same for embeddings

// run: a RUN folder (its best.safetensors) or a checkpoint. DataError naming the file when it is none.
TrainedBackbone load_trained_backbone(const std::filesystem::path& run);

struct FusionInput {
  BackboneSource source;
  std::string relative_run;  // from the fusion's RUN to the backbone's, so that a moved folder still finds it
};

struct TrainedFusionRun {
  std::unique_ptr<FusionNet> net;
  std::vector<std::string> classes;
  std::vector<FusionInput> inputs;  // in the order of net->options().inputs
  std::filesystem::path folder;
};

TrainedFusionRun load_trained_fusion(const std::filesystem::path& run);

// The checkpoint of input i's backbone: beside the fusion as it was, else where it was when the embeddings were made.
// DataError when neither holds a checkpoint, or it is another one than the fusion learned from.
TrainedBackbone load_input_backbone(const TrainedFusionRun& fusion, size_t i);

// Clips classed with other names cannot be used. DataError names `what` and both lists.
void check_classes(const std::vector<std::string>& of_model, const std::vector<std::string>& of_data,
                   const std::string& what);

// ---- metadata as text ----
std::string fingerprint_to_json(const data::Fingerprint& print);
data::Fingerprint fingerprint_from_json(const std::string& json);
std::string inputs_to_json(const data::CacheOptions& inputs);
data::CacheOptions inputs_from_json(const std::string& json);
std::string fusion_inputs_to_json(const std::vector<FusionInput>& inputs);
std::string strings_to_json(const std::vector<std::string>& values);
std::vector<std::string> strings_from_json(const std::string& json);

}  // namespace avs
