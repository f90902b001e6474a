// What the fuzz targets share: one input as a file in memory, read to the end; a DataError is a right answer.
#pragma once

#include "models/weights/source.h"

namespace avs::fuzz {

// As the importer would: arrays below 1 MiB are asked for their values (it asks only for shapes it expects).
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
