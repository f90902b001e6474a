#include "models/safetensors_header.h"
#include "tests/fuzz/fuzz_target.h"

// The header and the tensors; once with all tensor types, once with a checkpoint's alone.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  avs::fuzz::one_input(
      data, size, [](const avs::weights::Bytes& file) { avs::fuzz::read_all(avs::weights::read_safetensors(file)); });
  return avs::fuzz::one_input(data, size, [](const avs::weights::Bytes& file) {
    avs::weights::Cursor cursor(file.at(0, file.size(), "the file"), file, "the file");
    const uint64_t length = cursor.u64();
    if (length > cursor.left()) return;
    const auto text = cursor.take(length);
    avs::parse_header({reinterpret_cast<const char*>(text.data()), text.size()}, "input", file.size());
  });
}
