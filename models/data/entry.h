// One clip of the cache: a file with a fixed-size header and up to four arrays.
//
//   offset 0      header (struct in entry.cpp, little-endian): magic, version, the key, the note, one descriptor per
//                 array (kind, type, extents, offset, bytes, XXH3 checksum), and an XXH3 checksum of the header itself
//   offset 4096   frames  u8  [frames, size, size, 3]   RGB
//   then          mel, gam, cqt   f32 [128, 704, 2]     log spectrograms; the loader adds deltas (2.7 ms)
//
// Every array starts at a multiple of 4096 bytes. Arrays that the clip lacks (no picture, no sound), or that were not
// requested, are absent. Arrays are read by calls, not by mmap: a disk error is an exception, not a signal.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/file.h"
#include "models/modality.h"
#include "tensor/tensor.h"

namespace avs::data {

struct SourceStamp {  // detects a changed file without reading it
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // since the epoch
  bool operator==(const SourceStamp&) const = default;
};
SourceStamp stamp_of(const std::filesystem::path& path);  // all zero if the file is absent

// Identifies an entry's inputs; an entry with another key is out of date.
struct EntryKey {
  uint64_t recipe = 0;  // hash of the options that affect the arrays: CacheOptions::recipe()
  uint64_t clip = 0;    // hash of the clip's name
  SourceStamp audio, video;
  bool operator==(const EntryKey&) const = default;
};

using EntryParts = std::vector<std::pair<Modality, Tensor>>;

// note: a message for the user about the clip ("no sound stream"), at most 500 bytes. before_replacing() runs when the
// new bytes are on disk and `path` is still unchanged.
void write_entry(const std::filesystem::path& path, const EntryKey& key, std::string_view note, const EntryParts& parts,
                 const std::function<void()>& before_replacing = {});

struct ArrayHeader;  // the file's format

class Entry {
 public:
  // Reads only the header. DataError: no file, or an invalid header.
  explicit Entry(const std::filesystem::path& path);

  const EntryKey& key() const { return key_; }
  const std::string& note() const { return note_; }
  bool has(Modality modality) const { return find(modality) != nullptr; }
  Shape shape(Modality modality) const;  // DataError: the clip lacks it

  // Hash of the options, the clip's name and the arrays' types, extents and checksums. Timestamps of the source files
  // do not matter.
  uint64_t contents() const;

  // DataError names the file if an array's checksum does not match.
  void verify(Modality modality) const;
  void verify() const;  // all arrays

  // Does not verify checksums. Thread-safe. DataError: the clip lacks the array.
  Tensor read(Modality modality) const;  // frames: u8 [frames, size, size, 3]; others: f32 [128, 704, 2]
  void read_frame(int64_t number, std::span<uint8_t> out) const;  // DataError: no such frame, or another size

 private:
  struct Array {
    Modality modality;
    DType dtype;
    Shape shape;
    uint64_t offset, bytes, checksum;
  };
  Array checked(const ArrayHeader& array) const;
  const Array* find(Modality modality) const;
  const Array& at(Modality modality) const;

  std::filesystem::path path_;
  InputFile file_;
  EntryKey key_;
  std::string note_;
  std::vector<Array> arrays_;
};

}  // namespace avs::data
