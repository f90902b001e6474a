// Builds a cache from a folder of media. Every clip is decoded once; clips are decoded in parallel, one thread each.
//
// Resumable: entries are written atomically, and an entry with the right key (options, readers, source size and time)
// and checksums is kept. After `kill -9` the same call continues; damaged or outdated entries are made again. After the
// index is written, entries without a clip are removed; other files stay.
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
  int64_t made = 0, kept = 0;  // number of entries decoded, and of valid entries found
  int64_t read_anew = 0;       // entries in `made` that an older reader version (readers.h) had made
  double seconds = 0;
  std::string failure;  // reason why the data set is unusable (no index was written); empty: success
};

// Errors: as read_layout. UsageError: the cache lies inside a data folder of classes, or holds other files.
// SystemError: the cache cannot be written, or another process is preparing it. Files that cannot be decoded are listed
// in header.skipped.
PrepareReport prepare(const PrepareOptions& options);

// A summary for the user: clips, classes x splits, unusual clips, skipped files with reasons, and the rate.
std::string describe(const PrepareReport& report);

}  // namespace avs::data
