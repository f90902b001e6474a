// The header of a safetensors file, read with suspicion: it comes from anywhere. See models/checkpoint.h for the
// format.
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
  std::string dtype;  // "F32", "F16", "BF16", "I32", "U8", "I64" or "F64"; with OtherTensors::Listed, any
  std::vector<int64_t> shape;
  uint64_t first_byte = 0, last_byte = 0;  // in the file; last_byte is one behind
};

struct Header {
  std::map<std::string, HeaderEntry> tensors;
  std::map<std::string, std::string> metadata;
};

// Tensors that no Tensor holds: of another type (BOOL, I8, F8_E4M3, …), or of more than Shape::kMaxRank axes. Files
// from elsewhere have them beside the weights.
enum class OtherTensors : uint8_t { Refused, Listed };

// `text` is the header without its length, `file_bytes` the size of the whole file. DataError with file and byte unless
// the JSON is well-formed and no deeper than the format, there are at most kMaxHeaderTensors tensors, every key occurs
// once, every shape's bytes are its offsets' difference, and the tensors cover the rest of the file without overlap or
// hole.
Header parse_header(std::string_view text, const std::string& file, uint64_t file_bytes,
                    OtherTensors others = OtherTensors::Refused);

std::string_view header_name_of(DType dtype);         // "F32"
DType dtype_of_header(std::string_view header_name);  // of the five types that are stored as they are

}  // namespace avs
