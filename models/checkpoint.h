// Tensors and a little text in one file, in the safetensors format (huggingface/safetensors, "Format"):
//
//   8 bytes   n, the header's length, little endian; at most 100 MB
//   n bytes   JSON: {"__metadata__": {key: text, …}, "mixed3.branch1x1.conv.weight": {"dtype": "F32",
//             "shape": [64, 1, 1, 192], "data_offsets": [first, last + 1]}, …}, padded with spaces to a multiple of 8
//   the rest  the tensors' bytes, little endian, row-major, without holes or overlaps
//
// Types: F32, F16, BF16, I32 and U8 are read and written as they are. I64 is read as I32 (DataError where a value does
// not fit) and F64 as F32 (rounded to nearest; a finite value that becomes infinite is a DataError): foreign files hold
// step counters and statistics in them. BOOL and I8 are refused.
//
// The bytes are a function of the contents alone: keys are sorted, nothing carries a date. The metadata entry
// "avscene.xxh3" is a checksum of the whole file: XXH3 of the header, this entry's digits taken as zeros, and the
// tensors' bytes. Files without one (other programs', and ours before there was one) are read unchecked.
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
  bool was_checked = false;                     // load() found a checksum, and it holds

  // DataError naming the file and the byte where it stops making sense, or whose checksum does not hold; nothing is
  // allocated on a broken file's word.
  static Checkpoint load(const std::filesystem::path& file);

  // The metadata alone, without reading the tensors; the header is checked as load() does.
  static std::map<std::string, std::string> load_metadata(const std::filesystem::path& file);

  // Whole or not at all (models/file.h). SystemError when the disk is full or read-only: the old file is as it was.
  void save(const std::filesystem::path& file) const;
};

// The values of a module's parameters and buffers under prefix + path. The checkpoint shares the module's memory: save
// it before the next step.
void store_parameters(Module& module, Checkpoint& checkpoint, const std::string& prefix = "");

// Fills every parameter and buffer of the module from the tensors whose names begin with prefix, or throws one
// DataError that lists every missing, unexpected and misshapen name. On an error the module is unchanged. F16 and BF16
// tensors are widened.
void load_parameters(Module& module, const Checkpoint& checkpoint, const std::string& prefix = "");

}  // namespace avs
