// A prepared data set: `prepare` creates it; training, extraction and evaluation read it.
//
//   CACHE/index.json     classes, options, versions, the clips with label and split, the skipped files with reasons
//   CACHE/entries/*.clip one file per clip: frames and log spectrograms (models/data/entry.h)
//   CACHE/.lock          held while prepare runs
//
// prepare removes the index before it replaces the first entry and writes it last: a folder without an index is
// unfinished. Equal files and options give equal bytes, whatever the date and the number of workers. Entries are opened
// one at a time, so memory does not grow with the cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/data/clip.h"
#include "models/data/clip_features.h"
#include "models/data/entry.h"
#include "models/data/readers.h"
#include "vision/frames.h"

namespace avs::data {

struct CacheOptions {
  FrameOptions frames = {};
  SpectrogramOptions spectrograms = {};

  std::string describe() const;  // all options that affect the arrays; equal text means equal arrays
  // Hash of describe() and of the reader versions of a clip's files.
  uint64_t recipe(const std::string& readers = "") const;
};

struct CachedClip {
  std::string name, audio, video;  // see Clip
  int64_t label = 0;
  Split split = Split::Train;
  int64_t frame_count = 0;  // 0: no picture
  bool has_sound = false;
  std::string note;      // a message for the user, or empty
  std::string contents;  // Entry::contents() in hexadecimal; empty in old indexes

  bool has(Modality modality) const { return modality == Modality::Frames ? frame_count > 0 : has_sound; }
};

inline constexpr const char* kIndexName = "index.json";
std::string entry_file_name(const std::string& clip_name);  // printable, unique, at most 255 bytes
// Did prepare write this file of CACHE/entries, complete or not? Decided by its name and its first bytes.
bool is_entry_file(const std::filesystem::path& path);
bool is_index_file(const std::filesystem::path& path);  // the index of a cache, complete or not
EntryKey entry_key(const CacheOptions& options, const std::filesystem::path& root, const Clip& clip,
                   const ReaderVersions& readers = reader_versions());

// Two caches with equal fingerprints hold the same data.
struct Fingerprint {
  std::string contents;  // hash of the clips' names and arrays; empty for old indexes
  std::string labels;    // hash of the classes, labels and splits
  bool operator==(const Fingerprint&) const = default;
};
Fingerprint fingerprint_of(const std::vector<std::string>& classes, const std::vector<CachedClip>& clips);

class Cache {
 public:
  // DataError: no finished cache, a damaged index, or another version.
  static Cache open(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  const std::filesystem::path& data_root() const { return data_root_; }  // folder of the media files
  const std::vector<std::string>& classes() const { return classes_; }
  const std::vector<CachedClip>& clips() const { return clips_; }  // sorted by name; a clip's id is its index
  const CacheOptions& options() const { return options_; }
  const Fingerprint& fingerprint() const { return fingerprint_; }

  // Ids of the split's clips that have this modality, ascending.
  std::vector<int64_t> select(Split split, Modality modality) const;
  std::vector<int64_t> select(Split split) const;

  // The clip's entry; `modality` is verified against its checksum once per process. Thread-safe. DataError: the file is
  // missing, damaged, or not the one in the index; the message says to run prepare again.
  Entry entry(int64_t clip, Modality modality) const;

 private:
  void check_agreement(const Entry& entry, size_t index, const std::filesystem::path& file) const;
  std::filesystem::path folder_, data_root_;
  std::vector<std::string> classes_;
  std::vector<CachedClip> clips_;
  CacheOptions options_;
  Fingerprint fingerprint_;
  std::vector<uint64_t> recipes_;                     // per clip
  std::unique_ptr<std::atomic<uint8_t>[]> verified_;  // per clip, one bit per modality
};

// Everything in the index except the clips.
struct IndexHeader {
  std::filesystem::path data_root;
  std::string layout_kind, validation_cut;
  std::vector<std::string> classes;
  CacheOptions options;
  std::vector<std::string> notes;  // about the layout: duplicate rows, missing files
  std::vector<Skipped> skipped;
};
void write_index(const std::filesystem::path& folder, const IndexHeader& header, const std::vector<CachedClip>& clips);

}  // namespace avs::data
