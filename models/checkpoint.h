// Tensors and metadata in one file, in the safetensors format (huggingface/safetensors, "Format"):
//
//   8 bytes   n, the header's length, little endian; at most 100 MB
//   n bytes   JSON: {"__metadata__": {key: text, …}, "mixed0.branch1x1.0.conv.weight": {"dtype": "F32",
//             "shape": [64, 1, 1, 192], "data_offsets": [first, last + 1]}, …}, padded with spaces to a multiple of 8
//   the rest  the tensors' bytes, little endian, row-major, without holes or overlaps
//
// Types: F32, F16, BF16, I32 and U8 are read and written unchanged. Other programs store step counters and statistics
// as I64 and F64: I64 is read as I32 (DataError if a value does not fit), F64 as F32 (rounded to nearest; DataError if
// a finite value becomes infinite). BOOL and I8 are refused.
//
// Equal contents give equal bytes: keys are sorted and there is no date. The metadata entry "avscene.xxh3" is a
// checksum of the whole file: XXH3 of the header, with zeros for this entry's digits, and of the tensors' bytes. Files
// without it (other programs', our oldest) are read unchecked.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "layers/module.h"
#include "tensor/tensor.h"

namespace avs {

struct Checkpoint {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;  // without the checksum
  bool was_checked = false;                     // load() found a checksum and it matched

  // DataError names the file and the first invalid byte, or the wrong checksum. A damaged header cannot make it
  // allocate more than the file's size.
  static Checkpoint load(const std::filesystem::path& file);

  // Reads only the metadata; the header is checked as in load().
  static std::map<std::string, std::string> load_metadata(const std::filesystem::path& file);

  // Atomic (models/file.h). SystemError if the disk is full or read-only: the old file is unchanged.
  void save(const std::filesystem::path& file) const;
};

// Adds the module's parameters and buffers under prefix + path. The checkpoint shares their memory: save it before the
// next step.
void store_parameters(Module& module, Checkpoint& checkpoint, const std::string& prefix = "");

// Fills all parameters and buffers of the module from the tensors under prefix; F16 and BF16 are widened. DataError
// lists every missing, unexpected and misshapen name; the module is then unchanged.
void load_parameters(Module& module, const Checkpoint& checkpoint, const std::string& prefix = "");

}  // namespace avs
