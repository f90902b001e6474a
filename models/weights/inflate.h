// Unpacks zlib data whose maximum size is known in advance, so that malicious data cannot grow memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace avs::weights {

enum class Wrapping : uint8_t { Zlib, Raw };  // Raw: zip archives

// Returns at most max_bytes. DataError names `what`: the stream is damaged, cut, or longer.
std::vector<uint8_t> inflate(std::span<const uint8_t> packed, uint64_t max_bytes, Wrapping wrapping,
                             const std::string& what);

}  // namespace avs::weights
