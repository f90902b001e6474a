#include "models/weights/bytes.h"

#include <algorithm>

#include "models/file.h"

namespace avs::weights {

Bytes read_file(const std::filesystem::path& file) {
  constexpr uint64_t kMaxBytes = uint64_t{16} << 30;
  const InputFile input(file);
  const uint64_t size = input.size();
  if (size > kMaxBytes) throw DataError(str(file.string(), ": ", size, " bytes are more than a weight file has"));
  const std::shared_ptr<uint8_t[]> memory(new uint8_t[size + 1]);
  input.read(memory.get(), size, 0);
  return {memory, {memory.get(), size}, file.string()};
}

std::string read_start(const std::filesystem::path& file, uint64_t count) {
  const InputFile input(file);
  std::string start(std::min(count, input.size()), '\0');
  input.read(start.data(), start.size(), 0);
  return start;
}

}  // namespace avs::weights
