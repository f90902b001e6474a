#include "tests/fuzz/fuzz_target.h"

// PyTorch's zip archive and its legacy stream: zip, deflate and pickle.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return avs::fuzz::one_input(data, size, [](const avs::weights::Bytes& file) {
    avs::fuzz::read_all(file.begins_with("PK") ? avs::weights::read_torch_zip(file)
                                               : avs::weights::read_torch_stream(file));
  });
}
