// The data that Phase II learns from: one vector per clip and backbone, in one safetensors file.
//
//   tensors   fc1024/NAME f32 [clips, 1024], fc10/NAME f32 [clips, classes]  (either may be absent)
//             present/NAME u8 [clips]    0 where the clip lacks the backbone's input; its row is zero then
//             labels i32 [clips], splits u8 [clips]    0 train, 1 validation, 2 test
//   metadata  format, classes, clips (ids, in order) and backbones (name, run, hash) as JSON, contents (of the cache:
//             its fingerprint), computed (how), versions
//
// A row is the mean over the clip's frames (a sound has one); fc10 is the last layer's output before softmax. NAME is
// the backbone's model, "aud-mel"; a second one of the same model is "aud-mel-2".
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "models/data/clip.h"
#include "models/fusion.h"
#include "tensor/tensor.h"

namespace avs {

struct BackboneSource {
  std::string name;  // "aud-mel"
  std::string run;   // absolute path of its RUN folder when the embeddings were made
  std::string hash;  // XXH3 of the checkpoint that made them
};

struct BackboneEmbedding {
  BackboneSource source;
  std::map<EmbeddingLayer, Tensor> layers;  // [clips, D]
  std::vector<uint8_t> present;             // [clips]
};

struct EmbeddingSet {
  std::vector<std::string> classes;
  std::vector<std::string> clips;  // ids
  std::vector<int64_t> labels;
  std::vector<data::Split> splits;
  std::vector<BackboneEmbedding> backbones;
  std::string contents = {};  // data::Fingerprint::contents of the cache; empty: not known
  std::string computed = {};  // batch, device, type, versions: where they are equal, so are the bits

  std::vector<std::string> unchecked = {};  // files without a checksum

  int64_t size() const { return static_cast<int64_t>(clips.size()); }
  const BackboneEmbedding& backbone(const std::string& name) const;  // UsageError lists the names there are
  std::vector<std::string> names() const;

  static EmbeddingSet load(const std::filesystem::path& file);  // DataError when it is no such file
  void save(const std::filesystem::path& file) const;
};

// Sets of the same clips, made from different backbones, as one. DataError names the first clip, label or class in
// which two files differ, or says that the clips were others; a name that comes twice gets "-2".
EmbeddingSet merge(const std::vector<std::filesystem::path>& files);

// The rows of a split that all of `names` can serve, copied into matrices of their own.
struct EmbeddingRows {
  std::vector<std::string> ids;
  std::vector<int64_t> labels;
  std::vector<Tensor> x;  // one [rows, D] per name
  int64_t left_out = 0;   // clips of the split that lack one of the inputs
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
};
EmbeddingRows select_rows(const EmbeddingSet& set, data::Split split, const std::vector<std::string>& names,
                          EmbeddingLayer layer);

// name, or name-2, name-3 … where `taken` has it.
std::string distinct_name(const std::string& name, const std::vector<std::string>& taken);

}  // namespace avs
