#include "apps/train/extract.h"

#include <algorithm>
#include <cstring>
#include <regex>

#include "models/checkpoint.h"
#include "models/file.h"
#include "models/training/predict.h"
#include "tensor/require.h"

namespace avs {
namespace {

// The samples of whole clips: `count` of them from sample `first` on.
struct Shard {
  int64_t first = 0, count = 0;
};

std::vector<Shard> cut_into_shards(const data::Dataset& dataset) {
  std::vector<Shard> shards;
  int64_t clips = 0, before = -1;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    if (dataset.clip(i) != before) {
      before = dataset.clip(i);
      if (clips++ % kShardClips == 0) shards.push_back({i, 0});
    }
    ++shards.back().count;
  }
  return shards;
}

// The clips of a shard's samples, each once.
std::vector<int64_t> clips_of(const data::Dataset& dataset, const Shard& shard) {
  std::vector<int64_t> clips;
  for (int64_t i = shard.first; i < shard.first + shard.count; ++i)
    if (clips.empty() || clips.back() != dataset.clip(i)) clips.push_back(dataset.clip(i));
  return clips;
}

// A finished shard, if the file is there, whole, and of these clips.
std::optional<ClipOutputs> read_shard(const std::filesystem::path& file, const std::vector<int64_t>& wanted) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    const Checkpoint shard = Checkpoint::load(file);
    ClipOutputs outputs;
    const Tensor& clips = shard.tensors.at("clips");
    outputs.clips.assign(clips.data<int32_t>(), clips.data<int32_t>() + clips.size());
    outputs.fc1024 = shard.tensors.at("fc1024");
    outputs.logits = shard.tensors.at("fc10");
    if (outputs.clips != wanted) return std::nullopt;  // the splits were others
    return outputs;
  } catch (const Error&) {  // damaged, or on a bad part of the disk: made again
    return std::nullopt;
  } catch (const std::out_of_range&) {
    return std::nullopt;
  }
}

void write_shard(const std::filesystem::path& file, const ClipOutputs& outputs) {
  const std::vector<int32_t> clips(outputs.clips.begin(), outputs.clips.end());
  Checkpoint shard;
  shard.tensors = {{"clips", Tensor::from({outputs.size()}, std::span<const int32_t>(clips))},
                   {"fc1024", outputs.fc1024},
                   {"fc10", outputs.logits}};
  shard.save(file);
}

void copy_rows(const ClipOutputs& from, BackboneEmbedding& to) {
  for (auto& [layer, matrix] : to.layers) {
    const Tensor& rows = layer == EmbeddingLayer::Fc1024 ? from.fc1024 : from.logits;
    for (int64_t i = 0; i < from.size(); ++i)
      matrix.rows(from.clips[static_cast<size_t>(i)], 1).copy_from(rows.rows(i, 1));
  }
  for (const int64_t clip : from.clips) to.present[static_cast<size_t>(clip)] = 1;
}

}  // namespace

void check_inputs(const TrainedBackbone& backbone, const data::Cache& cache) {
  check_classes(backbone.classes, cache.classes(), backbone.file.string());
  const data::CacheOptions &trained = backbone.inputs, &here = cache.options();
  require<DataError>(backbone.net->modality() != Modality::Cqt || trained.spectrograms.cqt == here.spectrograms.cqt,
                     backbone.file.string(), ": trained on the constant-Q range '",
                     data::name_of(trained.spectrograms.cqt), "', the cache holds '",
                     data::name_of(here.spectrograms.cqt), "'");
  require<DataError>(
      backbone.net->modality() != Modality::Frames || trained.frames.frames_per_second == here.frames.frames_per_second,
      backbone.file.string(), ": trained on ", trained.frames.frames_per_second, " frames a second, the cache holds ",
      here.frames.frames_per_second);
}

int64_t sample_count(const TrainedBackbone& backbone, const data::Cache& cache) {
  int64_t count = 0;
  for (const data::CachedClip& clip : cache.clips())
    count += backbone.net->modality() == Modality::Frames ? clip.frame_count : static_cast<int64_t>(clip.has_sound);
  return count;
}

const BackboneEmbedding* find_made_before(const EmbeddingSet& before, const TrainedBackbone& backbone,
                                          const data::Cache& cache, const ExtractOptions& options) {
  if (before.contents.empty() || before.contents != cache.fingerprint().contents) return nullptr;
  if (before.computed != options.computed || before.classes != backbone.classes) return nullptr;
  for (const BackboneEmbedding& b : before.backbones) {
    const bool has_layers = std::ranges::all_of(options.layers, [&](EmbeddingLayer l) { return b.layers.contains(l); });
    if (b.source.hash == backbone.hash && has_layers && b.layers.size() == options.layers.size()) return &b;
  }
  return nullptr;
}

BackboneEmbedding extract(TrainedBackbone& backbone, const BackboneSource& source, const data::Cache& cache,
                          const ExtractOptions& options, Progress& progress) {
  check_inputs(backbone, cache);
  const auto clips = static_cast<int64_t>(cache.clips().size());
  BackboneEmbedding embedding{source, {}, std::vector<uint8_t>(cache.clips().size(), 0)};
  for (const EmbeddingLayer layer : options.layers) {
    const int64_t width = layer == EmbeddingLayer::Fc1024 ? 1024 : static_cast<int64_t>(backbone.classes.size());
    embedding.layers[layer] = Tensor::zeros({clips, width});
  }
  Inference inference(*backbone.net);
  const std::string& contents = cache.fingerprint().contents;
  Hash how;
  how.add(options.computed.data(), options.computed.size());
  const std::string stem =
      str(source.hash, "-", contents.empty() ? file_hash(cache.folder() / data::kIndexName) : contents, "-",
          hex(how.value()));
  for (const data::Split split : data::kSplits) {
    const auto dataset = evaluation_dataset(cache, backbone.net->modality(), split, backbone.net->options().image_size);
    for (const Shard& shard : cut_into_shards(*dataset)) {
      const std::filesystem::path file =
          options.shards / str(stem, "-", data::name_of(split), "-", shard.first, ".safetensors");
      std::optional<ClipOutputs> outputs = read_shard(file, clips_of(*dataset, shard));
      if (outputs) {
        progress.advance(shard.count);
      } else {
        const DatasetSlice slice(*dataset, shard.first, shard.count);
        outputs = run_clips(inference, slice, options.batch, options.workers,
                            [&](int64_t samples) { progress.advance(samples); });
        write_shard(file, *outputs);
      }
      copy_rows(*outputs, embedding);
    }
  }
  return embedding;
}

void remove_shards(const std::filesystem::path& folder) {
  static const std::regex shard(
      "[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]+-(train|validation|test)-[0-9]+\\.safetensors(\\.part)?");
  remove_files(folder, [](const std::string& name) {
    return name == ".lock" || is_unfinished(name) || std::regex_match(name, shard);
  });
  remove_empty_folder(folder);  // one with somebody's files stays
}

EmbeddingSet empty_set(const data::Cache& cache) {
  EmbeddingSet set;
  set.classes = cache.classes();
  set.contents = cache.fingerprint().contents;
  for (const data::CachedClip& clip : cache.clips()) {
    set.clips.push_back(clip.name);
    set.labels.push_back(clip.label);
    set.splits.push_back(clip.split);
  }
  return set;
}

}  // namespace avs
