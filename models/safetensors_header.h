// Parses the header of a safetensors file from any source. Format: models/checkpoint.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace avs {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;
inline constexpr size_t kMaxHeaderTensors = 100'000;

struct HeaderEntry {
  std::string dtype;  // "F32", "F16", "BF16", "I32", "U8", "I64" or "F64"; any type if OtherTensors::Listed
  std::vector<int64_t> shape;
  uint64_t first_byte = 0, last_byte = 0;  // in the file; last_byte is exclusive
};

struct Header {
  std::map<std::string, HeaderEntry> tensors;
  std::map<std::string, std::string> metadata;
};

// Tensors that a Tensor cannot hold: of another type (BOOL, I8, F8_E4M3, …), or of more than Shape::kMaxRank axes.
// Files of other programs may contain them beside the weights.
enum class OtherTensors : uint8_t { Refused, Listed };

// `text` is the header without its length, `file_bytes` the whole file's size. Checks: well-formed JSON no deeper than
// the format; at most kMaxHeaderTensors tensors; unique keys; shapes match offsets; tensors cover the rest of the file
// without overlap or hole. DataError names the file, and the byte or the tensor.
Header parse_header(std::string_view text, const std::string& file, uint64_t file_bytes,
                    OtherTensors others = OtherTensors::Refused);

std::string_view header_name_of(DType dtype);         // "F32"
DType dtype_of_header(std::string_view header_name);  // one of the five types that are stored unchanged

}  // namespace avs
