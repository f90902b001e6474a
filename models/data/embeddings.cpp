#include "models/data/embeddings.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "models/checkpoint.h"
#include "tensor/error.h"
#include "tensor/require.h"
#include "tensor/version.h"

namespace avs {
namespace {

constexpr const char* kFormat = "avscene embeddings 1";
constexpr EmbeddingLayer kLayers[] = {EmbeddingLayer::Fc1024, EmbeddingLayer::Fc10};

std::string key_of(EmbeddingLayer layer, const std::string& name) { return str(name_of(layer), "/", name); }

const Tensor& tensor_at(const Checkpoint& file, const std::string& key, const Shape& shape, DType dtype) {
  const auto found = file.tensors.find(key);
  require<DataError>(found != file.tensors.end(), "tensor '", key, "' is missing");
  require<DataError>(found->second.shape() == shape && found->second.dtype() == dtype, "tensor '", key, "' is ",
                     found->second.shape(), " ", found->second.dtype(), ", expected ", shape, " ", dtype);
  return found->second;
}

BackboneEmbedding read_backbone(const Checkpoint& file, const nlohmann::json& source, int64_t clips) {
  BackboneEmbedding backbone;
  backbone.source = {source.at("name"), source.at("run"), source.at("hash")};
  const std::string& name = backbone.source.name;
  const Tensor& present = tensor_at(file, "present/" + name, {clips}, DType::U8);
  backbone.present.assign(present.data<uint8_t>(), present.data<uint8_t>() + clips);
  for (const EmbeddingLayer layer : kLayers) {
    const auto found = file.tensors.find(key_of(layer, name));
    if (found == file.tensors.end()) continue;
    const Shape& shape = found->second.shape();
    require<DataError>(shape.rank() == 2, "tensor '", found->first, "' is ", shape, ", expected [clips, values]");
    backbone.layers[layer] = tensor_at(file, found->first, {clips, shape[1]}, DType::F32);
  }
  return backbone;
}

EmbeddingSet read_set(const Checkpoint& file) {
  const auto format = file.metadata.find("format");
  require<DataError>(format != file.metadata.end() && format->second == kFormat,
                     "not an embeddings file (extract_embeddings writes them)");
  EmbeddingSet set;
  set.classes = nlohmann::json::parse(file.metadata.at("classes")).get<std::vector<std::string>>();
  set.clips = nlohmann::json::parse(file.metadata.at("clips")).get<std::vector<std::string>>();
  const int64_t n = set.size();
  const Tensor& labels = tensor_at(file, "labels", {n}, DType::I32);
  const Tensor& splits = tensor_at(file, "splits", {n}, DType::U8);
  for (int64_t i = 0; i < n; ++i) {
    const int32_t label = labels.data<int32_t>()[i];
    const uint8_t split = splits.data<uint8_t>()[i];
    require<DataError>(label >= 0 && label < static_cast<int32_t>(set.classes.size()) && split <= 2, "clip '",
                       set.clips[static_cast<size_t>(i)], "' has label ", label, " and split ", int{split});
    set.labels.push_back(label);
    set.splits.push_back(static_cast<data::Split>(split));
  }
  for (const nlohmann::json& source : nlohmann::json::parse(file.metadata.at("backbones")))
    set.backbones.push_back(read_backbone(file, source, n));
  require<DataError>(!set.backbones.empty(), "holds the embeddings of no backbone");
  const auto text = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  set.contents = text("contents");
  set.computed = text("computed");
  return set;
}

// Two files can be fused only when row i is the same clip in both.
void check_same_clips(const EmbeddingSet& a, const std::filesystem::path& a_file, const EmbeddingSet& b,
                      const std::filesystem::path& b_file) {
  const std::string files = str(a_file.string(), " and ", b_file.string());
  require<DataError>(a.classes == b.classes, files, " were made with different classes");
  require<DataError>(a.size() == b.size(), files, " hold different clips: ", a.size(), " and ", b.size());
  for (size_t i = 0; i < a.clips.size(); ++i) {
    require<DataError>(a.clips[i] == b.clips[i], files, " hold different clips: '", a.clips[i], "' and '", b.clips[i],
                       "' in row ", i);
    require<DataError>(a.labels[i] == b.labels[i] && a.splits[i] == b.splits[i], files, " disagree on the ",
                       a.labels[i] == b.labels[i] ? "split" : "label", " of clip '", a.clips[i], "'");
  }
  require<DataError>(a.contents.empty() || b.contents.empty() || a.contents == b.contents, files,
                     " were made from clips of other contents: the cache changed in between; extract both again");
}

}  // namespace

const BackboneEmbedding& EmbeddingSet::backbone(const std::string& name) const {
  std::string known;
  for (const BackboneEmbedding& b : backbones) {
    if (b.source.name == name) return b;
    known += (known.empty() ? "" : ", ") + b.source.name;
  }
  throw UsageError("no embeddings of '" + name + "'; the file has " + known);
}

std::vector<std::string> EmbeddingSet::names() const {
  std::vector<std::string> all;
  for (const BackboneEmbedding& b : backbones) all.push_back(b.source.name);
  return all;
}

EmbeddingSet EmbeddingSet::load(const std::filesystem::path& file) {
  try {
    const Checkpoint checkpoint = Checkpoint::load(file);
    EmbeddingSet set = read_set(checkpoint);
    if (!checkpoint.was_checked) set.unchecked = {file.string()};
    return set;
  } catch (const nlohmann::json::exception& error) {
    throw DataError(str(file.string(), ": damaged metadata: ", error.what()));
  } catch (const std::out_of_range&) {
    throw DataError(str(file.string(), ": its metadata lacks classes, clips or backbones"));
  } catch (DataError& error) {
    const std::string message = error.what();
    throw DataError(message.find(file.string()) == std::string::npos ? file.string() + ": " + message : message);
  }
}

void EmbeddingSet::save(const std::filesystem::path& file) const {
  Checkpoint out;
  std::vector<int32_t> label_values(labels.begin(), labels.end());
  std::vector<uint8_t> split_values;
  for (const data::Split split : splits) split_values.push_back(static_cast<uint8_t>(split));
  out.tensors["labels"] = Tensor::from({size()}, std::span<const int32_t>(label_values));
  out.tensors["splits"] = Tensor::from({size()}, std::span<const uint8_t>(split_values));
  nlohmann::ordered_json sources = nlohmann::ordered_json::array();
  for (const BackboneEmbedding& b : backbones) {
    sources.push_back({{"name", b.source.name}, {"run", b.source.run}, {"hash", b.source.hash}});
    out.tensors["present/" + b.source.name] = Tensor::from({size()}, std::span<const uint8_t>(b.present));
    for (const auto& [layer, values] : b.layers) out.tensors[key_of(layer, b.source.name)] = values;
  }
  out.metadata = {{"format", kFormat},
                  {"classes", nlohmann::json(classes).dump()},
                  {"clips", nlohmann::json(clips).dump()},
                  {"backbones", sources.dump()},
                  {"contents", contents},
                  {"computed", computed},
                  {"versions", engine_version()}};
  out.save(file);
}

std::string distinct_name(const std::string& name, const std::vector<std::string>& taken) {
  std::string candidate = name;
  for (int i = 2; std::ranges::find(taken, candidate) != taken.end(); ++i) candidate = str(name, "-", i);
  return candidate;
}

EmbeddingSet merge(const std::vector<std::filesystem::path>& files) {
  require<UsageError>(!files.empty(), "no embeddings file given");
  EmbeddingSet all = EmbeddingSet::load(files.front());
  for (size_t i = 1; i < files.size(); ++i) {
    EmbeddingSet next = EmbeddingSet::load(files[i]);
    check_same_clips(all, files.front(), next, files[i]);
    for (BackboneEmbedding& b : next.backbones) {
      b.source.name = distinct_name(b.source.name, all.names());
      all.backbones.push_back(std::move(b));
    }
    all.unchecked.insert(all.unchecked.end(), next.unchecked.begin(), next.unchecked.end());
  }
  return all;
}

EmbeddingRows select_rows(const EmbeddingSet& set, data::Split split, const std::vector<std::string>& names,
                          EmbeddingLayer layer) {
  std::vector<const BackboneEmbedding*> sources;
  for (const std::string& name : names) {
    const BackboneEmbedding& b = set.backbone(name);
    require<UsageError>(b.layers.contains(layer), "the embeddings of '", name, "' lack layer ", name_of(layer),
                        "; extract_embeddings --layer ", name_of(layer), " makes them");
    sources.push_back(&b);
  }
  EmbeddingRows rows;
  std::vector<size_t> chosen;
  for (size_t i = 0; i < set.clips.size(); ++i) {
    if (set.splits[i] != split) continue;
    if (std::ranges::all_of(sources, [i](const auto* b) { return b->present[i] != 0; })) {
      chosen.push_back(i);
      rows.ids.push_back(set.clips[i]);
      rows.labels.push_back(set.labels[i]);
    } else {
      ++rows.left_out;
    }
  }
  for (const BackboneEmbedding* b : sources) {
    const Tensor& from = b->layers.at(layer);
    const int64_t width = from.shape()[1];
    Tensor x = Tensor::empty({rows.size(), width});
    for (size_t i = 0; i < chosen.size(); ++i)
      std::memcpy(x.data<float>() + static_cast<int64_t>(i) * width,
                  from.data<float>() + static_cast<int64_t>(chosen[i]) * width,
                  static_cast<size_t>(width) * sizeof(float));
    rows.x.push_back(std::move(x));
  }
  return rows;
}

}  // namespace avs
