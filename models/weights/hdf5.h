// Reads the HDF5 files that Keras writes, without the HDF5 library (The HDF Group, "HDF5 File Format Specification
// Version 3.0"). The library trusts its files; this reader accepts files from anywhere, and tests/fuzz tries hostile
// ones. It knows the subset that weight files use, refuses the rest by name, checks every address, visits every object
// once, bounds memory, and unpacks arrays on demand.
//
// Supported: superblocks 0 to 3; object headers 1 and 2; groups as symbol tables or as link messages; text attributes
// of fixed or variable length; integers and IEEE floats in either byte order; compact, contiguous and chunked arrays;
// the filters deflate, shuffle and fletcher32.
// Refused: links out of the file, soft links, dense groups and version-4 chunk indices (libver="latest"), committed
// types, other filters, other number types.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/weights/source.h"

namespace avs::weights::hdf5 {

inline constexpr std::string_view kSignature("\x89HDF\r\n\x1a\n", 8);

struct Dataset {
  std::vector<int64_t> shape;
  std::string type;                          // "f32", for messages
  std::function<std::vector<float>()> read;  // keeps the file's bytes alive
};

struct Node {  // a group or a dataset
  std::string name;
  std::map<std::string, std::vector<std::string>> texts;  // text attributes that weight files use
  std::vector<Node> children;                             // sorted by name; empty for a dataset
  std::optional<Dataset> dataset;

  const Node* child(std::string_view child_name) const;  // null if absent
};

// Reads the file's whole tree. DataError names the file and the damaged or refused object.
Node read_tree(const Bytes& file);

}  // namespace avs::weights::hdf5
