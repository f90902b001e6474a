// One clip of the cache: a file with a fixed header and up to four arrays.
//
//   offset 0      header (struct in entry.cpp, little-endian): magic, version, the key, the note, one descriptor per
//                 array (kind, type, extents, offset, bytes, XXH3 checksum), and an XXH3 checksum of the header itself
//   offset 4096   frames  u8  [frames, size, size, 3]   RGB
//   then          mel, gam, cqt   f32 [128, 704, 2]     log spectrograms; deltas are the loader's work (2.7 ms)
//
// Every array begins on a page (4096 bytes). An array the clip cannot give (no picture, no sound) or that was not asked
// for is absent. Arrays are read by calls, not through a mapping: a bad disk is an error of one file, not a signal.
#pragma once

#include <array>
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
#include "tensor/tensor.h"

namespace avs::data {

enum class Part : uint32_t { Frames, Mel, Gam, Cqt };
inline constexpr std::array<Part, 4> kParts = {Part::Frames, Part::Mel, Part::Gam, Part::Cqt};
std::string_view name_of(Part part);         // "frames", "mel", "gam", "cqt"
Part part_from_name(std::string_view name);  // UsageError lists the names

struct SourceStamp {  // how a changed file is noticed without reading it
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // since the epoch
  bool operator==(const SourceStamp&) const = default;
};
SourceStamp stamp_of(const std::filesystem::path& path);  // all zero where there is no file

// What an entry was made from; another key means the entry is old.
struct EntryKey {
  uint64_t recipe = 0;  // of all options that shape the arrays: CacheOptions::recipe()
  uint64_t clip = 0;    // hash of the clip's name
  SourceStamp audio, video;
  bool operator==(const EntryKey&) const = default;
};

using EntryParts = std::vector<std::pair<Part, Tensor>>;

// note: what the reader should know about this clip ("no sound stream"), at most 500 bytes. before_replacing() is
// called when the new bytes are safe on the disk and `path` still is as it was.
void write_entry(const std::filesystem::path& path, const EntryKey& key, std::string_view note, const EntryParts& parts,
                 const std::function<void()>& before_replacing = {});

struct ArrayHeader;  // as it stands in the file

class Entry {
 public:
  // DataError: no file, or a header that is not whole or does not fit the file. Arrays are not read.
  explicit Entry(const std::filesystem::path& path);

  const EntryKey& key() const { return key_; }
  const std::string& note() const { return note_; }
  bool has(Part part) const { return find(part) != nullptr; }
  Shape shape(Part part) const;  // DataError when the clip lacks it

  // A hash of the options, the clip's name and the arrays' types, extents and checksums: equal arrays of the same clip
  // have an equal one, whenever their source was touched.
  uint64_t contents() const;

  // DataError names the file when an array's checksum does not match.
  void verify(Part part) const;
  void verify() const;  // all of them

  // Unverified. DataError when the clip lacks the array. Any thread.
  Tensor read(Part part) const;  // frames u8 [frames, size, size, 3], others f32 [128, 704, 2]
  void read_frame(int64_t number, std::span<uint8_t> out) const;  // one picture; DataError: no such frame, another size

 private:
  struct Array {
    Part part;
    DType dtype;
    Shape shape;
    uint64_t offset, bytes, checksum;
  };
  Array checked(const ArrayHeader& array) const;
  const Array* find(Part part) const;
  const Array& at(Part part) const;

  std::filesystem::path path_;
  InputFile file_;
  EntryKey key_;
  std::string note_;
  std::vector<Array> arrays_;
};

}  // namespace avs::data
