// Embeddings of every clip of a cache by one trained backbone, in shards that survive a kill.
//
// The clips of a split are cut into shards of kShardClips; each finished shard is a file in a folder beside the output,
// named after the backbone, the cache's contents and how it was computed, and is found again by the next call. Batches
// never cross a shard's border, so the result does not depend on where a run was stopped.
#pragma once

#include <filesystem>

#include "apps/cli/progress.h"
#include "apps/train/trained.h"
#include "models/data/embeddings.h"

namespace avs {

inline constexpr int64_t kShardClips = 64;

struct ExtractOptions {
  std::vector<EmbeddingLayer> layers = {EmbeddingLayer::Fc1024, EmbeddingLayer::Fc10};
  int64_t batch = 32;
  int workers = 1;
  std::filesystem::path shards;  // the folder of the finished shards
  std::string computed = {};     // EmbeddingSet::computed
};

// Samples (frames, spectrograms) that a backbone has to look at: the length of a progress bar.
int64_t sample_count(const TrainedBackbone& backbone, const data::Cache& cache);

// DataError: other classes than the cache's, or a cache prepared with another constant-Q range or frame rate.
void check_inputs(const TrainedBackbone& backbone, const data::Cache& cache);

// The embeddings that `before` holds of this backbone, of the same clips' contents, computed in the same way; null
// where it holds none. Labels and splits may have changed: they are columns of their own.
const BackboneEmbedding* find_made_before(const EmbeddingSet& before, const TrainedBackbone& backbone,
                                          const data::Cache& cache, const ExtractOptions& options);

// DataError as check_inputs says. Interrupted passes through; finished shards stay.
BackboneEmbedding extract(TrainedBackbone& backbone, const BackboneSource& source, const data::Cache& cache,
                          const ExtractOptions& options, Progress& progress);

// Removes the finished shards and, when nothing else is in it, their folder.
void remove_shards(const std::filesystem::path& folder);

// An EmbeddingSet of the cache's clips, without backbones yet.
EmbeddingSet empty_set(const data::Cache& cache);

}  // namespace avs
