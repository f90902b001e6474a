// Reads the values of HDF5 arrays: contiguous bytes, or filtered chunks found through a version-1 B-tree (III.A.1).
#include <algorithm>
#include <set>

#include "models/weights/hdf5_object.h"
#include "models/weights/inflate.h"

namespace avs::weights::hdf5 {
namespace {

uint64_t ceil_div(uint64_t a, uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

std::vector<uint8_t> unshuffle(const std::vector<uint8_t>& shuffled, uint64_t element_bytes) {
  std::vector<uint8_t> plain(shuffled);
  const uint64_t count = shuffled.size() / element_bytes;
  for (uint64_t b = 0; b < element_bytes; ++b)
    for (uint64_t i = 0; i < count; ++i) plain[i * element_bytes + b] = shuffled[b * count + i];
  return plain;
}

// Checksum over big-endian 16-bit words; an odd last byte is the high byte of a word. As in HDF5, a sum stays in
// 1..65535 after the first nonzero word.
uint32_t fletcher32(const std::vector<uint8_t>& bytes) {
  const auto add = [](uint32_t a, uint32_t b) { return a + b > 65535 ? a + b - 65535 : a + b; };
  uint32_t first = 0, second = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    first = add(first, uint32_t{bytes[i]} << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0u));
    second = add(second, first);
  }
  return second << 16 | first;
}

class ChunkedReader {
 public:
  ChunkedReader(File& file, const std::string& object, const Datatype& type, const std::vector<int64_t>& shape,
                const Layout& layout, const std::vector<Filter>& filters)
      : file_(file), what_("array '" + object + "'"), type_(type), chunk_(layout.chunk), filters_(filters) {
    for (const int64_t extent : shape) shape_.push_back(static_cast<uint64_t>(extent));
    if (chunk_.size() != shape_.size()) file_.fail(what_ + ": its chunks have another rank than it has");
    chunk_bytes_ = type.size;
    uint64_t total = type.size;
    chunks_wanted_ = 1;
    for (size_t axis = 0; axis < chunk_.size(); ++axis) {
      // A chunk may be longer than the array, but at most twice as long (or 2048): real files are not.
      if (chunk_[axis] == 0 || chunk_[axis] / 2 > std::max<uint64_t>(shape_[axis], 1024))
        file_.fail(what_ + ": its chunks are longer than it is");
      chunk_bytes_ *= chunk_[axis];
      total *= shape_[axis];
      chunks_wanted_ *= ceil_div(shape_[axis], chunk_[axis]);
      if (chunk_bytes_ / 4 > std::max<uint64_t>(total, 1 << 20))
        file_.fail(what_ + ": its chunks are larger than it is");
    }
    values_.resize(total);
  }

  std::vector<uint8_t> read(uint64_t tree_address) {
    if (chunks_wanted_ > 0) node(tree_address, 0);
    if (seen_.size() != chunks_wanted_)
      file_.fail(str(what_, ": ", seen_.size(), " of ", chunks_wanted_, " chunks are in the file"));
    return std::move(values_);
  }

 private:
  void node(uint64_t address, int depth) {
    if (depth > 32 || !nodes_.insert(address).second) file_.fail(what_ + ": the index of its chunks runs in a circle");
    const auto offset_bytes = static_cast<uint64_t>(file_.offset_size);
    Cursor head = file_.at(address, 8 + 2 * offset_bytes, what_);
    if (head.text(4) != "TREE" || head.u8() != 1) head.fail("the index of its chunks is damaged");
    const int level = head.u8();
    const uint64_t entries = head.u16();
    const uint64_t key_bytes = 8 + 8 * (shape_.size() + 1);
    Cursor body = file_.at(address + 8 + 2 * offset_bytes, entries * (key_bytes + offset_bytes), what_);
    for (uint64_t i = 0; i < entries; ++i) {
      const uint32_t stored_bytes = body.u32(), skipped_filters = body.u32();
      std::vector<uint64_t> first;
      for (size_t axis = 0; axis < shape_.size(); ++axis) first.push_back(body.u64());
      body.skip(8);  // offset within an element, always 0
      const uint64_t child = body.number(file_.offset_size);
      if (level > 0)
        node(child, depth + 1);
      else
        place(unpacked(file_.at(child, stored_bytes, what_).take(stored_bytes), skipped_filters), first);
    }
  }

  std::vector<uint8_t> unpacked(std::span<const uint8_t> stored, uint32_t skipped_filters) {
    std::vector<uint8_t> bytes(stored.begin(), stored.end());
    for (size_t i = filters_.size(); i-- > 0;) {
      if (i < 32 && (skipped_filters >> i & 1) != 0) continue;
      if (filters_[i] == Filter::Deflate) {
        file_.bytes.spend(chunk_bytes_, what_);
        bytes = inflate(bytes, chunk_bytes_ + 4, Wrapping::Zlib, file_.bytes.name() + ": a chunk of " + what_);
      } else if (filters_[i] == Filter::Shuffle) {
        bytes = unshuffle(bytes, type_.size);
      } else {
        if (bytes.size() < 4) file_.fail(what_ + ": a chunk is shorter than its checksum");
        uint32_t stored_sum = 0;
        for (size_t b = 0; b < 4; ++b) stored_sum |= uint32_t{bytes[bytes.size() - 4 + b]} << (8 * b);
        bytes.resize(bytes.size() - 4);
        if (fletcher32(bytes) != stored_sum) file_.fail(what_ + ": a chunk's checksum is not that of its bytes");
      }
    }
    if (bytes.size() != chunk_bytes_)
      file_.fail(str(what_, ": a chunk has ", bytes.size(), " bytes instead of ", chunk_bytes_));
    return bytes;
  }

  // Copies the part of a chunk that is inside the array, one row of the last axis at a time.
  void place(const std::vector<uint8_t>& chunk, const std::vector<uint64_t>& first) {
    const size_t rank = shape_.size();
    for (size_t axis = 0; axis < rank; ++axis)
      if (first[axis] % chunk_[axis] != 0 || first[axis] >= shape_[axis])
        file_.fail(what_ + ": a chunk lies outside of it");
    if (!seen_.insert(first).second) file_.fail(what_ + ": a chunk occurs twice");
    if (rank == 0) return void(std::copy(chunk.begin(), chunk.end(), values_.begin()));
    const uint64_t row = std::min(chunk_[rank - 1], shape_[rank - 1] - first[rank - 1]) * type_.size;
    std::vector<uint64_t> at(rank, 0);
    while (true) {
      uint64_t from = 0, to = 0;
      for (size_t axis = 0; axis < rank; ++axis) {
        from = from * chunk_[axis] + at[axis];
        to = to * shape_[axis] + first[axis] + at[axis];
      }
      std::memcpy(values_.data() + to * type_.size, chunk.data() + from * type_.size, row);
      size_t axis = rank - 1;  // the last axis is copied as a row; iterate over the others
      while (axis > 0) {
        --axis;
        if (++at[axis] < chunk_[axis] && first[axis] + at[axis] < shape_[axis]) break;
        at[axis] = 0;
        if (axis == 0) return;
      }
      if (rank == 1) return;
    }
  }

  File& file_;
  std::string what_;
  const Datatype& type_;
  std::vector<uint64_t> shape_, chunk_;
  const std::vector<Filter>& filters_;
  uint64_t chunk_bytes_ = 0, chunks_wanted_ = 0;
  std::vector<uint8_t> values_;
  std::set<uint64_t> nodes_;
  std::set<std::vector<uint64_t>> seen_;
};

}  // namespace

std::vector<float> read_array(File file, const std::string& object, const Datatype& type,
                              const std::vector<int64_t>& shape, const Layout& layout,
                              const std::vector<Filter>& filters) {
  const std::string what = "array '" + object + "'";
  const uint64_t count = element_count(shape, file.bytes.name() + ": " + what);
  if (count > UINT64_MAX / 16) file.fail(what + " is larger than any memory");
  const uint64_t bytes = count * type.size;
  std::vector<uint8_t> own;
  std::span<const uint8_t> values;
  if (bytes > 0 && layout.kind != Layout::Kind::Compact && file.undefined(layout.address))
    file.fail(what + " was declared and never written");
  if (layout.kind == Layout::Kind::Chunked) {
    own = ChunkedReader(file, object, type, shape, layout, filters).read(layout.address);
    values = own;
  } else if (layout.kind == Layout::Kind::Compact) {
    values = layout.compact;
  } else if (bytes > 0) {
    if (layout.size != bytes) file.fail(str(what, ": ", layout.size, " bytes are stored, ", bytes, " are needed"));
    values = file.at(layout.address, layout.size, what).take(layout.size);
  }
  if (values.size() != bytes) file.fail(str(what, ": ", values.size(), " bytes are stored, ", bytes, " are needed"));
  if (!type.big_endian || type.size == 1) return to_floats(values.data(), count, type.number);
  own.assign(values.begin(), values.end());
  for (uint64_t i = 0; i < count; ++i)
    std::reverse(own.begin() + static_cast<ptrdiff_t>(i * type.size),
                 own.begin() + static_cast<ptrdiff_t>((i + 1) * type.size));
  return to_floats(own.data(), count, type.number);
}

}  // namespace avs::weights::hdf5
