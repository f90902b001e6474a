// Building a cache from a folder of media: every clip is decoded once, in parallel, one thread per clip.
//
// Resumable by construction: an entry appears whole or not at all, and an entry whose key (options, readers, source
// size and time) and checksums hold is kept. So after `kill -9` the same call continues, and damaged or outdated
// entries are made again. Entries of no clip any more are removed at the end, after the index is written; other files
// stay.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "apps/cli/progress.h"
#include "apps/data/split.h"
#include "models/data/cache.h"

namespace avs::data {

struct PrepareOptions {
  std::filesystem::path data, cache;
  CacheOptions arrays;
  SplitOptions split;
  int workers = 1;
};

struct PrepareReport {
  IndexHeader header;
  std::vector<CachedClip> clips;
  int64_t made = 0, kept = 0;  // entries decoded now, and found whole
  int64_t read_anew = 0;       // of those made: an older version of their kind's reader (readers.h) had made them
  double seconds = 0;
  std::string failure;  // why there is no usable data set (and no index was written); empty: all is well
};

// Throws what read_layout throws; UsageError for a cache inside a class folder layout; Error when the cache cannot be
// written or another process is preparing it. Files that cannot be decoded are in header.skipped instead.
PrepareReport prepare(const PrepareOptions& options);

// Clips, classes x splits, what is unusual, what was skipped and why, and the rate: for a person.
std::string describe(const PrepareReport& report);

}  // namespace avs::data
