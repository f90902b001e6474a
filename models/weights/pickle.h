// The data of a Python pickle, without Python: a reader for what torch.save writes for a state dict. A pickle is a
// program for a small stack machine, and Python's executes whatever functions it names; this one executes nothing. It
// knows the instructions that build plain values, and a closed list of names: those that stand for tensors and ordered
// dictionaries, and those of values that training scripts keep beside them (argparse's options, NumPy's numbers), which
// become Objects without contents. Every other instruction or name ends in a DataError that says which.
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
using ValuePtr = Value*;  // values belong to their Document, so that a pickle may nest and refer as it likes

struct None {};
struct Tuple {
  std::vector<ValuePtr> items;
};
struct List {
  std::vector<ValuePtr> items;
};
struct Dict {
  std::vector<std::pair<ValuePtr, ValuePtr>> items;
};  // in order of insertion
struct Global {
  std::string name;
};  // "torch._utils._rebuild_tensor_v2"
struct BigInteger {
  std::vector<uint8_t> bytes;
};                 // little endian, two's complement: torch's magic number
struct Object {};  // a value of a class that no tensor is in
struct Storage {
  std::string_view name;           // "torch.FloatStorage"
  std::optional<NumberType> type;  // none: complex, quantized or untyped
  uint64_t width = 4;              // bytes of an element
  std::string key;                 // its member of the archive, or its name in the stream
  int64_t count = 0;               // elements
};
struct Tensor {
  const Storage* storage = nullptr;
  int64_t first = 0;
  std::vector<int64_t> shape, strides;  // in elements
};

struct Value {
  std::variant<None, bool, int64_t, double, std::string, BigInteger, Tuple, List, Dict, Global, Object, Storage, Tensor>
      data;
};

struct Document {
  std::deque<Value> values;
  ValuePtr root = nullptr;
};

// The pickle that begins where the cursor stands, which moves behind it.
Document read(Cursor& cursor);

}  // namespace avs::weights::pickle
