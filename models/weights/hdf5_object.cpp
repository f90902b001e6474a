#include "models/weights/hdf5_object.h"

#include <algorithm>
#include <set>

namespace avs::weights::hdf5 {
namespace {

constexpr size_t kMaxMessages = 100'000;

// III.D. Level 2A1: version 1. Messages follow a 16-byte prefix, each padded to 8 bytes.
// III.D. Level 2A2: version 2. "OHDR", then messages, then a checksum.
struct HeaderFormat {
  int version = 1;
  bool creation_order = false;  // version 2: each message has a creation order field
};

struct Block {
  uint64_t address, size;
};

class HeaderReader {
 public:
  HeaderReader(File& file, const std::string& object) : file_(file), what_("the header of '" + object + "'") {}

  std::vector<Message> read(uint64_t address) {
    const Block first = prefix(address);
    pending_.push_back(first);
    while (!pending_.empty()) {
      const Block block = pending_.back();
      pending_.pop_back();
      if (!visited_.insert(block.address).second) file_.fail(what_ + " continues in a circle");
      Cursor cursor = file_.at(block.address, block.size, what_);
      messages_of(cursor);
    }
    return std::move(messages_);
  }

 private:
  Block prefix(uint64_t address) {
    if (!file_.undefined(address) && file_.bytes.begins_with("OHDR", file_.base + address)) return prefix2(address);
    Cursor cursor = file_.at(address, 16, what_);
    if (cursor.u8() != 1) file_.fail(what_ + " is not an object header");
    cursor.skip(1 + 2 + 4);
    return {address + 16, cursor.u32()};
  }
  Block prefix2(uint64_t address) {
    Cursor cursor = file_.at(address, 6, what_);
    cursor.skip(4);
    if (cursor.u8() != 2) file_.fail(what_ + " is of an unknown version");
    const int flags = cursor.u8();
    format_ = {2, (flags & 4) != 0};
    const uint64_t skipped = 6 + ((flags & 32) != 0 ? 16u : 0u) + ((flags & 16) != 0 ? 4u : 0u);
    const int width = 1 << (flags & 3);
    Cursor size = file_.at(address + skipped, static_cast<uint64_t>(width), what_);
    return {address + skipped + static_cast<uint64_t>(width), size.number(width)};
  }

  void messages_of(Cursor& cursor) {
    const uint64_t smallest = format_.version == 1 ? 8 : format_.creation_order ? 6 : 4;
    while (cursor.left() >= smallest) {
      Message message;
      message.type = static_cast<MessageType>(format_.version == 1 ? cursor.u16() : cursor.u8());
      const uint64_t size = cursor.u16();
      message.shared = (cursor.u8() & 2) != 0;
      cursor.skip(format_.version == 1 ? 3 : format_.creation_order ? 2 : 0);
      message.body = cursor.take(size);
      if (message.type == MessageType::Continuation)
        continue_at(message);
      else
        messages_.push_back(message);
      if (messages_.size() > kMaxMessages) file_.fail(what_ + " has more messages than an object can need");
    }
  }
  void continue_at(const Message& message) {
    Cursor cursor(message.body, file_.bytes, what_);
    const uint64_t address = cursor.number(file_.offset_size), size = cursor.number(file_.length_size);
    if (format_.version == 1) return pending_.push_back({address, size});
    if (size < 8 || !file_.bytes.begins_with("OCHK", file_.base + address))
      file_.fail(what_ + " continues where no continuation is");
    pending_.push_back({address + 4, size - 8});  // without signature and checksum
  }

  File& file_;
  std::string what_;
  HeaderFormat format_;
  std::vector<Block> pending_;
  std::set<uint64_t> visited_;
  std::vector<Message> messages_;
};

NumberType number_type_of_integer(uint64_t size, bool is_signed, const Cursor& cursor) {
  if (size == 1) return is_signed ? NumberType::I8 : NumberType::U8;
  if (size == 2 && is_signed) return NumberType::I16;
  if (size == 4 && is_signed) return NumberType::I32;
  if (size == 8) return NumberType::I64;  // step counters may be unsigned, but are small
  cursor.fail(str("holds integers of ", size, " bytes, which no weight file needs"));
}

}  // namespace

Cursor File::at(uint64_t address, uint64_t count, std::string_view what) {
  if (undefined(address) || address > UINT64_MAX - base) fail(str(what, " is nowhere in the file"));
  const auto found = bytes.at(base + address, count, what);
  bytes.spend(count, what);
  return {found, bytes, what};
}

bool File::undefined(uint64_t address) const {
  return address == (offset_size == 8 ? UINT64_MAX : (uint64_t{1} << (8 * offset_size)) - 1);
}

std::vector<Message> read_messages(File& file, uint64_t address, const std::string& object) {
  return HeaderReader(file, object).read(address);
}

// ---- IV.A.2.d The Datatype Message ----

Datatype read_datatype(Cursor& cursor) {
  Datatype type;
  const int type_class = cursor.u8() & 15;
  const uint64_t bits = cursor.number(3);
  type.size = cursor.u32();
  type.big_endian = (bits & 1) != 0;
  switch (type_class) {
    case 0:
      type.kind = Datatype::Kind::Number;
      type.number = number_type_of_integer(type.size, (bits & 8) != 0, cursor);
      type.description = str("integers of ", type.size, " bytes");
      break;
    case 1: {
      cursor.skip(4);  // offset and precision
      const int exponent_bits = static_cast<int>(cursor.number(2) >> 8);
      const bool ieee = (type.size == 2 && exponent_bits == 5) || (type.size == 4 && exponent_bits == 8) ||
                        (type.size == 8 && exponent_bits == 11);
      const bool bfloat = type.size == 2 && exponent_bits == 8;
      if ((bits & 64) != 0 || (!ieee && !bfloat)) cursor.fail("holds numbers that are not IEEE floats");
      type.kind = Datatype::Kind::Number;
      type.number = bfloat           ? NumberType::BF16
                    : type.size == 2 ? NumberType::F16
                    : type.size == 4 ? NumberType::F32
                                     : NumberType::F64;
      type.description = str(bfloat ? "bf" : "f", 8 * type.size);
      break;
    }
    case 3:
      type.kind = Datatype::Kind::FixedText;
      type.description = "text";
      break;
    case 5:  // opaque: h5py and Keras store bfloat16, which HDF5 lacks, as two opaque bytes
      type.kind = type.size == 2 ? Datatype::Kind::Number : Datatype::Kind::Other;
      type.number = NumberType::BF16;
      type.big_endian = false;
      type.description = str("opaque elements of ", type.size, " bytes");
      break;
    case 9:
      type.kind = (bits & 15) == 1 ? Datatype::Kind::VariableText : Datatype::Kind::Other;
      type.description = "variable-length elements";
      break;
    default: type.description = str("elements of HDF5 class ", type_class);
  }
  return type;
}

// ---- IV.A.2.b The Dataspace Message ----

std::vector<int64_t> read_dataspace(const File& file, Cursor& cursor) {
  const int version = cursor.u8(), rank = cursor.u8();
  cursor.skip(1);
  if (version == 1)
    cursor.skip(5);
  else if (version != 2 || cursor.u8() == 2)
    cursor.fail("has no extents this reader knows");
  if (rank > 32) cursor.fail(str("has rank ", rank, ", above HDF5's 32"));
  std::vector<int64_t> shape;
  for (int axis = 0; axis < rank; ++axis) {
    const uint64_t extent = cursor.number(file.length_size);
    if (extent > INT64_MAX) cursor.fail("has an extent above 2^63");
    shape.push_back(static_cast<int64_t>(extent));
  }
  return shape;
}

// ---- IV.A.2.i The Data Layout Message, IV.A.2.l The Filter Pipeline Message ----

Layout read_layout(File& file, const Message& message, const std::string& object) {
  const std::string what = "the layout of '" + object + "'";
  Cursor cursor(message.body, file.bytes, what);
  const int version = cursor.u8(), layout_class = cursor.u8();
  Layout layout;
  const bool chunked = layout_class == 2;
  if (version == 4 && chunked)
    cursor.fail("chunks are indexed as libver=\"latest\" does; rewrite the file with: h5repack --high=18 IN OUT");
  if (version != 3 && version != 4) cursor.fail(str("version ", version, " is not one this reader knows"));
  if (layout_class == 0) {
    layout.kind = Layout::Kind::Compact;
    const uint64_t size = cursor.u16();
    layout.compact = cursor.take(size);
  } else if (layout_class == 1) {
    layout.address = cursor.number(file.offset_size);
    layout.size = cursor.number(file.length_size);
  } else if (chunked) {
    layout.kind = Layout::Kind::Chunked;
    const int rank_and_one = cursor.u8();
    layout.address = cursor.number(file.offset_size);
    for (int axis = 0; axis + 1 < rank_and_one; ++axis) layout.chunk.push_back(cursor.u32());
  } else {
    cursor.fail("the array is not stored in this file (a virtual dataset?)");
  }
  return layout;
}

std::vector<Filter> read_filters(const File& file, const Message& message, const std::string& object) {
  const std::string what = "the filters of '" + object + "'";
  Cursor cursor(message.body, file.bytes, what);
  const int version = cursor.u8(), count = cursor.u8();
  if (version == 1) cursor.skip(6);
  std::vector<Filter> filters;
  for (int i = 0; i < count; ++i) {
    const int id = cursor.u16();
    const uint64_t name_bytes = version == 1 || id >= 256 ? cursor.u16() : 0;
    cursor.skip(2);
    const uint64_t values = cursor.u16();
    cursor.skip(name_bytes);
    cursor.skip(4 * values + (version == 1 && values % 2 != 0 ? 4 : 0));
    if (id < 1 || id > 3)
      cursor.fail(str("HDF5 filter ", id, " is unknown here; known are deflate, shuffle, fletcher32"));
    filters.push_back(id == 1 ? Filter::Deflate : id == 2 ? Filter::Shuffle : Filter::Fletcher32);
  }
  return filters;
}

// ---- IV.A.2.m The Attribute Message, III.E Level 1E: Global Heap ----

namespace {

// The text of object `index` in the global heap at `address`.
std::string heap_text(File& file, uint64_t address, uint32_t index, uint64_t length, const std::string& what) {
  Cursor head = file.at(address, 8 + static_cast<uint64_t>(file.length_size), what);
  if (head.text(4) != "GCOL") head.fail("points to a global heap that is none");
  head.skip(4);
  const uint64_t size = head.number(file.length_size);
  const uint64_t prefix = 8 + static_cast<uint64_t>(file.length_size);
  if (size < prefix) head.fail("points to an empty global heap");
  // Only the headers of earlier objects and the text count against the allowance.
  for (uint64_t at = prefix; size - at >= prefix;) {
    Cursor object = file.at(address + at, prefix, what);
    const uint32_t object_index = object.u16();
    object.skip(6);
    const uint64_t bytes = object.number(file.length_size);
    if (object_index == index) {
      if (length > bytes) object.fail("has a text longer than its place in the heap");
      return file.at(address + at + prefix, length, what).text(length);
    }
    if (object_index == 0 || bytes > size) break;
    const uint64_t step = prefix + (bytes + 7) / 8 * 8;
    if (step > size - at) break;
    at += step;
  }
  head.fail("points to a text that is not in the file's heap");
}

std::string trimmed(std::string text) {
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

uint64_t padded(uint64_t size, int version) { return version == 1 ? (size + 7) / 8 * 8 : size; }

}  // namespace

Attribute read_attribute(File& file, const Message& message, const std::string& object) {
  const std::string what = "an attribute of '" + object + "'";
  Cursor cursor(message.body, file.bytes, what);
  const int version = cursor.u8();
  if (version < 1 || version > 3) cursor.fail(str("is of unknown version ", version));
  const bool shared_parts = version > 1 && (cursor.u8() & 3) != 0;
  if (version == 1) cursor.skip(1);
  const uint64_t name_bytes = cursor.u16(), type_bytes = cursor.u16(), space_bytes = cursor.u16();
  if (version == 3) cursor.skip(1);
  Attribute attribute{trimmed(cursor.text(name_bytes)), {}};
  cursor.skip(padded(name_bytes, version) - name_bytes);
  const std::string& name = attribute.name;
  const bool wanted = name == "name" || name.starts_with("layer_names") || name.starts_with("weight_names");
  if (!wanted || shared_parts) return attribute;

  Cursor type_cursor(cursor.take(padded(type_bytes, version)), file.bytes, what);
  const Datatype type = read_datatype(type_cursor);
  Cursor space_cursor(cursor.take(padded(space_bytes, version)), file.bytes, what);
  const uint64_t count = element_count(read_dataspace(file, space_cursor), file.bytes.name() + ": " + what);
  if (type.kind != Datatype::Kind::FixedText && type.kind != Datatype::Kind::VariableText) return attribute;
  if (type.size == 0 || count > cursor.left() / type.size) cursor.fail("has more texts than bytes");
  for (uint64_t i = 0; i < count; ++i) {
    if (type.kind == Datatype::Kind::FixedText) {
      attribute.texts.push_back(trimmed(cursor.text(type.size)));
      continue;
    }
    const uint64_t length = cursor.u32(), address = cursor.number(file.offset_size);
    const uint32_t index = cursor.u32();
    attribute.texts.push_back(length == 0 ? "" : heap_text(file, address, index, length, what));
  }
  return attribute;
}

}  // namespace avs::weights::hdf5
