// Unpacking zlib data into a buffer whose size is known before: nothing grows on the packed data's word.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace avs::weights {

enum class Wrapping : uint8_t { Zlib, Raw };  // Raw: as in zip archives

// At most max_bytes come out. DataError naming `what` when the stream is damaged, cut, or longer than that.
std::vector<uint8_t> inflate(std::span<const uint8_t> packed, uint64_t max_bytes, Wrapping wrapping,
                             const std::string& what);

}  // namespace avs::weights
