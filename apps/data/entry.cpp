#include "apps/data/entry.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "tensor/error.h"

namespace avs::data {
namespace {

constexpr size_t kPage = 4096;
constexpr uint32_t kVersion = 1;
constexpr std::array<char, 8> kMagic = {'A', 'V', 'S', 'C', 'L', 'I', 'P', '\n'};

struct ArrayHeader {
  uint32_t part, dtype;
  std::array<int64_t, 4> extents;  // unused ones are 0
  uint64_t offset, bytes, checksum;
};

struct Header {
  std::array<char, 8> magic;
  uint32_t version, array_count;
  EntryKey key;
  std::array<ArrayHeader, kParts.size()> arrays;
  std::array<char, 504> note;  // ends in zeros
  uint64_t checksum;           // of all bytes above
};
static_assert(std::is_trivially_copyable_v<Header> && sizeof(Header) <= kPage);
static_assert(sizeof(Header) == 16 + 48 + 4 * 64 + 504 + 8, "no padding: its bytes would not be reproducible");

uint64_t checksum_of(const Header& header) { return XXH3_64bits(&header, offsetof(Header, checksum)); }
uint64_t checksum_of(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

size_t to_page(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

Header make_header(const EntryKey& key, std::string_view note, const EntryParts& parts) {
  Header header;
  std::memset(static_cast<void*>(&header), 0, sizeof header);
  header.magic = kMagic;
  header.version = kVersion;
  header.array_count = static_cast<uint32_t>(parts.size());
  header.key = key;
  size_t offset = kPage;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto& [part, tensor] = parts[i];
    ArrayHeader& array = header.arrays.at(i);
    array = {static_cast<uint32_t>(part), static_cast<uint32_t>(tensor.dtype()), {}, offset, tensor.bytes(), 0};
    for (int axis = 0; axis < tensor.shape().rank(); ++axis)
      array.extents.at(static_cast<size_t>(axis)) = tensor.shape()[axis];
    array.checksum = checksum_of({static_cast<const std::byte*>(tensor.raw()), tensor.bytes()});
    offset += to_page(tensor.bytes());
  }
  std::memcpy(header.note.data(), note.data(), std::min(note.size(), header.note.size() - 1));
  header.checksum = checksum_of(header);
  return header;
}

Shape shape_of(const ArrayHeader& array) {
  std::vector<int64_t> extents;
  for (const int64_t extent : array.extents)
    if (extent > 0) extents.push_back(extent);
  return Shape(std::span<const int64_t>(extents));
}

}  // namespace

std::string_view name_of(Part part) {
  constexpr std::array<std::string_view, kParts.size()> names = {"frames", "mel", "gam", "cqt"};
  return names[static_cast<size_t>(part)];
}

Part part_from_name(std::string_view name) {
  for (const Part part : kParts)
    if (name == name_of(part)) return part;
  throw UsageError(str("no kind '", name, "': expected frames, mel, gam or cqt"));
}

SourceStamp stamp_of(const std::filesystem::path& path) {
  struct stat status;
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {static_cast<uint64_t>(status.st_size), status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

void write_entry(const std::filesystem::path& path, const EntryKey& key, std::string_view note,
                 const EntryParts& parts) {
  static constexpr std::array<std::byte, kPage> zeros = {};
  const Header header = make_header(key, note, parts);
  std::vector<std::span<const std::byte>> pieces;
  const auto add = [&](const void* data, size_t bytes) {
    pieces.push_back({static_cast<const std::byte*>(data), bytes});
    pieces.push_back({zeros.data(), to_page(bytes) - bytes});
  };
  add(&header, sizeof header);
  for (const auto& [part, tensor] : parts) add(tensor.raw(), tensor.bytes());
  write_atomically(path, pieces);
}

Entry::Entry(const std::filesystem::path& path) : path_(path), file_(path) {
  const std::span<const std::byte> bytes = file_.bytes();
  Header header;
  if (bytes.size() < kPage) throw DataError(str(path.string(), ": not a whole cache entry"));
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic || header.version != kVersion)
    throw DataError(str(path.string(), ": not a cache entry of this version"));
  if (header.checksum != checksum_of(header) || header.array_count > kParts.size())
    throw DataError(str(path.string(), ": its header is damaged"));
  key_ = header.key;
  note_ = header.note.data();
  for (uint32_t i = 0; i < header.array_count; ++i) {
    const ArrayHeader& array = header.arrays[i];
    if (array.offset > bytes.size() || array.bytes > bytes.size() - array.offset)
      throw DataError(str(path.string(), ": cut short"));
    arrays_.push_back({static_cast<Part>(array.part), static_cast<DType>(array.dtype), shape_of(array),
                       bytes.subspan(array.offset, array.bytes), array.checksum});
  }
}

const Entry::Array* Entry::find(Part part) const {
  for (const Array& array : arrays_)
    if (array.part == part) return &array;
  return nullptr;
}

const Entry::Array& Entry::at(Part part) const {
  const Array* array = find(part);
  if (array == nullptr) throw DataError(str(path_.string(), ": holds no ", name_of(part)));
  return *array;
}

Shape Entry::shape(Part part) const { return at(part).shape; }

void Entry::verify(Part part) const {
  const Array& array = at(part);
  if (checksum_of(array.bytes) != array.checksum)
    throw DataError(str(path_.string(), ": its ", name_of(part), " do not match their checksum"));
}

void Entry::verify() const {
  for (const Array& array : arrays_) verify(array.part);
}

std::span<const uint8_t> Entry::frames() const {
  const std::span<const std::byte> bytes = at(Part::Frames).bytes;
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

std::span<const float> Entry::spectrogram(Part part) const {
  const Array& array = at(part);
  if (array.dtype != DType::F32) throw DataError(str(path_.string(), ": its ", name_of(part), " are no spectrogram"));
  return {reinterpret_cast<const float*>(array.bytes.data()), array.bytes.size() / sizeof(float)};
}

}  // namespace avs::data
