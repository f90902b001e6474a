// What every kind of weight file is read into: a list of named arrays whose values are fetched one at a time, when the
// importer knows that it wants them. So nothing is unpacked on a file's word: an array that does not have the shape the
// network asks for is never read.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/weights/bytes.h"

namespace avs::weights {

enum class Container : uint8_t { KerasLegacy, Keras3, Torch, Safetensors };

struct SourceTensor {
  std::string name;                          // as the file calls it, for messages
  std::string key;                           // what layouts are matched by: wrappers and counters made canonical
  std::vector<int64_t> shape;                // as stored
  std::function<std::vector<float>()> read;  // row-major, widened or rounded to f32; DataError where damaged
};

struct WeightSource {
  Container container = Container::Safetensors;
  std::string description;  // "Keras legacy HDF5", "PyTorch zip archive (.pth)"
  std::vector<SourceTensor> tensors;
  std::map<std::string, std::string> metadata;  // safetensors only
};

// Number types of foreign files.
enum class NumberType : uint8_t { F16, BF16, F32, F64, I8, U8, I16, I32, I64, Bool };
uint64_t size_of(NumberType type);

// `count` numbers at `data`, as f32.
std::vector<float> to_floats(const uint8_t* data, uint64_t count, NumberType type);

// The product of the extents, or DataError (naming `what`) when one is negative or the product leaves int64.
uint64_t element_count(const std::vector<int64_t>& shape, const std::string& what);

// Recognises a file by its content and lists its arrays. DataError with one line for anything else: a web page, a Git
// LFS pointer, an index, a program, a truncated or damaged file.
WeightSource open_weight_file(const std::filesystem::path& file);

// The readers behind it.
WeightSource read_keras(const Bytes& hdf5);  // both HDF5 layouts
WeightSource read_torch_zip(const Bytes& archive);
WeightSource read_torch_stream(const Bytes& file);
WeightSource read_safetensors(const Bytes& file);

}  // namespace avs::weights
