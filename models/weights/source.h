// The common result of all weight file readers: a list of named arrays. The importer reads values one array at a time,
// only if the shape is the one the network needs, so that a malicious file unpacks nothing else.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/weights/bytes.h"

namespace avs::weights {

enum class Container : uint8_t { KerasLegacy, Keras3, Torch, Safetensors };

struct SourceTensor {
  std::string name;                          // in the file, for messages
  std::string key;                           // canonical name that layouts match: wrappers and counters are normalised
  std::vector<int64_t> shape;                // the stored shape
  std::function<std::vector<float>()> read;  // row-major, converted to f32; DataError: damaged
};

struct WeightSource {
  Container container = Container::Safetensors;
  std::string description;  // "Keras legacy HDF5", "PyTorch zip archive (.pth)"
  std::vector<SourceTensor> tensors;
  std::map<std::string, std::string> metadata;  // safetensors only
};

// Number types in weight files.
enum class NumberType : uint8_t { F16, BF16, F32, F64, I8, U8, I16, I32, I64, Bool };
uint64_t size_of(NumberType type);

// Converts `count` numbers at `data` to f32.
std::vector<float> to_floats(const uint8_t* data, uint64_t count, NumberType type);

// The product of the extents. DataError (names `what`): a negative extent, or overflow of int64.
uint64_t element_count(const std::vector<int64_t>& shape, const std::string& what);

// Recognises a file by its content and lists its arrays. DataError for anything else: a web page, a Git LFS pointer, an
// index, a program, a truncated or damaged file.
WeightSource open_weight_file(const std::filesystem::path& file);

// Readers of the formats.
WeightSource read_keras(const Bytes& hdf5);  // both HDF5 layouts
WeightSource read_torch_zip(const Bytes& archive);
WeightSource read_torch_stream(const Bytes& file);
WeightSource read_safetensors(const Bytes& file);

}  // namespace avs::weights
