#include "tests/fuzz/fuzz_target.h"

// HDF5 in both of Keras' layouts.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return avs::fuzz::one_input(data, size, [](const avs::weights::Bytes& file) {
    if (file.begins_with("\x89HDF")) avs::fuzz::read_all(avs::weights::read_keras(file));
  });
}
