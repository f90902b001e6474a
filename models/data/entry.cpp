#include "models/data/entry.h"

#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

#include "tensor/error.h"

namespace avs::data {

struct ArrayHeader {
  uint32_t part, dtype;
  std::array<int64_t, 4> extents;  // unused ones are 0
  uint64_t offset, bytes, checksum;
};

namespace {

constexpr size_t kPage = 4096;
constexpr uint32_t kVersion = 1;
constexpr std::array<char, 8> kMagic = {'A', 'V', 'S', 'C', 'L', 'I', 'P', '\n'};

struct Header {
  std::array<char, 8> magic;
  uint32_t version, array_count;
  EntryKey key;
  std::array<ArrayHeader, kModalities.size()> arrays;
  std::array<char, 504> note;  // padded with zeros
  uint64_t checksum;           // XXH3 of all bytes before it
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

// The array's shape; nullopt if extents and bytes disagree.
std::optional<Shape> shape_of(const ArrayHeader& array, DType dtype) {
  std::vector<int64_t> extents;
  uint64_t bytes = size_of(dtype);
  for (const int64_t extent : array.extents) {
    if (extent == 0) continue;
    if (extent < 0 || static_cast<uint64_t>(extent) > array.bytes / bytes) return std::nullopt;
    bytes *= static_cast<uint64_t>(extent);
    extents.push_back(extent);
  }
  if (bytes != array.bytes) return std::nullopt;
  return Shape(std::span<const int64_t>(extents));
}

}  // namespace

SourceStamp stamp_of(const std::filesystem::path& path) {
  struct stat status;
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {static_cast<uint64_t>(status.st_size), status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

void write_entry(const std::filesystem::path& path, const EntryKey& key, std::string_view note, const EntryParts& parts,
                 const std::function<void()>& before_replacing) {
  static constexpr std::array<std::byte, kPage> zeros = {};
  const Header header = make_header(key, note, parts);
  OutputFile file(path);
  const auto add = [&](const void* data, size_t bytes) {
    file.write({static_cast<const std::byte*>(data), bytes});
    file.write({zeros.data(), to_page(bytes) - bytes});
  };
  add(&header, sizeof header);
  for (const auto& [part, tensor] : parts) add(tensor.raw(), tensor.bytes());
  file.flush();
  if (before_replacing) before_replacing();
  file.commit();
}

Entry::Entry(const std::filesystem::path& path) : path_(path), file_(path) {
  Header header;
  if (file_.size() < kPage) throw DataError(str(path.string(), ": not a whole cache entry"));
  file_.read(&header, sizeof header, 0);
  if (header.magic != kMagic || header.version != kVersion)
    throw DataError(str(path.string(), ": not a cache entry of this version"));
  if (header.checksum != checksum_of(header) || header.array_count > kModalities.size())
    throw DataError(str(path.string(), ": its header is damaged"));
  key_ = header.key;
  note_ = header.note.data();
  for (uint32_t i = 0; i < header.array_count; ++i) arrays_.push_back(checked(header.arrays[i]));
}

Entry::Array Entry::checked(const ArrayHeader& array) const {
  if (array.offset > file_.size() || array.bytes > file_.size() - array.offset)
    throw DataError(str(path_.string(), ": cut short"));
  const auto modality = static_cast<Modality>(array.part);
  const bool is_frames = modality == Modality::Frames;
  const DType dtype = is_frames ? DType::U8 : DType::F32;
  const std::optional<Shape> shape = shape_of(array, dtype);
  if (array.part >= kModalities.size() || static_cast<DType>(array.dtype) != dtype || !shape ||
      shape->rank() != (is_frames ? 4 : 3))
    throw DataError(str(path_.string(), ": its header describes no array of a cache"));
  return {modality, dtype, *shape, array.offset, array.bytes, array.checksum};
}

const Entry::Array* Entry::find(Modality modality) const {
  for (const Array& array : arrays_)
    if (array.modality == modality) return &array;
  return nullptr;
}

const Entry::Array& Entry::at(Modality modality) const {
  const Array* array = find(modality);
  if (array == nullptr) throw DataError(str(path_.string(), ": holds no ", name_of(modality)));
  return *array;
}

Shape Entry::shape(Modality modality) const { return at(modality).shape; }

uint64_t Entry::contents() const {
  std::vector<uint64_t> words = {key_.recipe, key_.clip};
  for (const Array& array : arrays_) {
    words.push_back(static_cast<uint64_t>(array.modality));
    for (const int64_t extent : array.shape.extents()) words.push_back(static_cast<uint64_t>(extent));
    words.push_back(array.checksum);
  }
  return checksum_of(std::as_bytes(std::span(words)));
}

void Entry::verify(Modality modality) const {
  const Array& array = at(modality);
  if (file_.hash(array.offset, array.bytes) != array.checksum)
    throw DataError(str(path_.string(), ": its ", name_of(modality), " do not match their checksum"));
}

void Entry::verify() const {
  for (const Array& array : arrays_) verify(array.modality);
}

Tensor Entry::read(Modality modality) const {
  const Array& array = at(modality);
  Tensor values = Tensor::empty(array.shape, array.dtype);
  file_.read(values.raw(), array.bytes, array.offset);
  return values;
}

void Entry::read_frame(int64_t number, std::span<uint8_t> out) const {
  const Array& array = at(Modality::Frames);
  const int64_t frames = array.shape[0];
  if (number < 0 || number >= frames)
    throw DataError(str(path_.string(), ": has no frame ", number, ", it has ", frames));
  if (out.size() != array.bytes / static_cast<uint64_t>(frames))
    throw DataError(str(path_.string(), ": holds frames of ", array.shape, ", ", out.size(), " bytes are expected"));
  file_.read(out.data(), out.size(), array.offset + static_cast<uint64_t>(number) * out.size());
}

}  // namespace avs::data
