// Reads the pickles that torch.save writes for a state dict. A pickle is a program for a stack machine, and Python
// executes any function that it names; this reader executes nothing. It accepts the instructions that build plain
// values and a fixed list of names: tensors, ordered dictionaries, and classes that training scripts save beside them
// (argparse's options, NumPy's numbers), which become empty Objects. DataError names any other instruction or name.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "models/weights/source.h"

namespace avs::weights::pickle {

struct Value;
using ValuePtr = Value*;  // owned by the Document, since pickles may share values

struct None {};
struct Tuple {
  std::vector<ValuePtr> items;
};
struct List {
  std::vector<ValuePtr> items;
};
struct Dict {
  std::vector<std::pair<ValuePtr, ValuePtr>> items;
};  // in insertion order
struct Global {
  std::string name;
};  // "torch._utils._rebuild_tensor_v2"
struct BigInteger {
  std::vector<uint8_t> bytes;
};                 // little endian, two's complement: torch's magic number
struct Object {};  // an instance of a class that contains no tensor
struct Storage {
  std::string_view name;           // "torch.FloatStorage"
  std::optional<NumberType> type;  // none: complex, quantized or untyped
  uint64_t width = 4;              // bytes per element
  std::string key;                 // archive member, or name in the stream
  int64_t count = 0;               // elements
};
struct Tensor {
  const Storage* storage = nullptr;
  int64_t first = 0;
  std::vector<int64_t> shape, strides;  // strides in elements
};

struct Value {
  std::variant<None, bool, int64_t, double, std::string, BigInteger, Tuple, List, Dict, Global, Object, Storage, Tensor>
      data;
};

struct Document {
  std::deque<Value> values;
  ValuePtr root = nullptr;
};

// Reads a pickle at the cursor and moves the cursor past it.
Document read(Cursor& cursor);

}  // namespace avs::weights::pickle
