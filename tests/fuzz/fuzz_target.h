// Shared by the fuzz targets: reads one input as a file in memory; a DataError is a correct result.
#pragma once

#include "models/weights/source.h"

namespace avs::fuzz {

// Reads all arrays below 1 MiB, like the importer (which reads only shapes that it expects).
inline void read_all(const weights::WeightSource& source) {
  for (const weights::SourceTensor& tensor : source.tensors) {
    if (weights::element_count(tensor.shape, tensor.name) > (1u << 18)) continue;
    try {
      tensor.read();
    } catch (const DataError&) {
    }
  }
}

template <typename Read>
int one_input(const uint8_t* data, size_t size, Read&& read) {
  try {
    read(weights::Bytes(nullptr, {data, size}, "input"));
  } catch (const DataError&) {
  }
  return 0;
}

}  // namespace avs::fuzz
