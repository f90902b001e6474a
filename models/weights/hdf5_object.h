// Decodes the messages of an HDF5 object's header, for hdf5.cpp (the tree) and hdf5_data.cpp (arrays). Chapter and
// field names are those of the HDF5 File Format Specification Version 3.0.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/weights/hdf5.h"

namespace avs::weights::hdf5 {

// Sizes from the superblock. Decoded bytes count against the file's allowance, so that overlapping or repeated
// structures give an error instead of endless work.
struct File {
  Bytes bytes;
  int offset_size = 8, length_size = 8;
  uint64_t base = 0;  // origin of addresses

  Cursor at(uint64_t address, uint64_t count, std::string_view what);
  bool undefined(uint64_t address) const;
  [[noreturn]] void fail(const std::string& why) const { throw DataError(bytes.name() + ": " + why); }
};

enum class MessageType : uint16_t {
  Dataspace = 0x01,
  LinkInfo = 0x02,
  Datatype = 0x03,
  ExternalFiles = 0x07,
  Link = 0x06,
  Layout = 0x08,
  Filters = 0x0b,
  Attribute = 0x0c,
  Continuation = 0x10,
  SymbolTable = 0x11,
  AttributeInfo = 0x15,
};

struct Message {
  MessageType type;
  bool shared = false;
  std::span<const uint8_t> body;
};

// All messages of the header at an address, including continuation blocks.
std::vector<Message> read_messages(File& file, uint64_t address, const std::string& object);

// III.A Datatype: the types that weight files contain.
struct Datatype {
  enum class Kind : uint8_t { Number, FixedText, VariableText, Other } kind = Kind::Other;
  NumberType number = NumberType::F32;
  bool big_endian = false;
  uint64_t size = 0;  // bytes per element
  std::string description;
};
Datatype read_datatype(Cursor& cursor);
std::vector<int64_t> read_dataspace(const File& file, Cursor& cursor);

enum class Filter : uint8_t { Deflate, Shuffle, Fletcher32 };

struct Layout {
  enum class Kind : uint8_t { Compact, Contiguous, Chunked } kind = Kind::Contiguous;
  std::span<const uint8_t> compact;
  uint64_t address = 0, size = 0;  // contiguous: the bytes; chunked: the B-tree
  std::vector<uint64_t> chunk;     // extents of a chunk
};
Layout read_layout(File& file, const Message& message, const std::string& object);
std::vector<Filter> read_filters(const File& file, const Message& message, const std::string& object);

// An attribute; texts is empty unless it holds text.
struct Attribute {
  std::string name;
  std::vector<std::string> texts;
};
Attribute read_attribute(File& file, const Message& message, const std::string& object);

// The values of an array, row-major. DataError: bytes are missing.
std::vector<float> read_array(File file, const std::string& object, const Datatype& type,
                              const std::vector<int64_t>& shape, const Layout& layout,
                              const std::vector<Filter>& filters);

}  // namespace avs::weights::hdf5
