#include "models/weights/inflate.h"

#include <zlib.h>

#include <algorithm>

#include "tensor/error.h"
#include "tensor/no_copy.h"

namespace avs::weights {
namespace {

struct Stream : z_stream, NoCopy {
  explicit Stream(Wrapping wrapping) : z_stream{} {
    if (inflateInit2(this, wrapping == Wrapping::Raw ? -MAX_WBITS : MAX_WBITS) != Z_OK)
      throw OutOfMemory("zlib cannot allocate its window");
  }
  ~Stream() { inflateEnd(this); }
};

}  // namespace

std::vector<uint8_t> inflate(std::span<const uint8_t> packed, uint64_t max_bytes, Wrapping wrapping,
                             const std::string& what) {
  constexpr uint64_t kMaxRatio = 1032;  // deflate's maximum ratio
  const uint64_t limit = std::min(max_bytes, packed.size() * kMaxRatio + 64);
  std::vector<uint8_t> out(limit + 1);  // one extra byte detects a longer stream
  Stream stream(wrapping);
  uint64_t in_done = 0, out_done = 0;
  int status = Z_OK;
  while (status == Z_OK && out_done < out.size()) {
    const uint64_t in_now = std::min<uint64_t>(packed.size() - in_done, 1u << 30);
    const uint64_t out_now = std::min<uint64_t>(out.size() - out_done, 1u << 30);
    stream.next_in = const_cast<Bytef*>(packed.data() + in_done);
    stream.avail_in = static_cast<uInt>(in_now);
    stream.next_out = out.data() + out_done;
    stream.avail_out = static_cast<uInt>(out_now);
    status = ::inflate(&stream, Z_NO_FLUSH);
    in_done += in_now - stream.avail_in;
    out_done += out_now - stream.avail_out;
  }
  if (out_done > limit) throw DataError(str(what, ": unpacks to more than the ", max_bytes, " bytes it should have"));
  if (status != Z_STREAM_END) throw DataError(what + ": the compressed data is damaged or cut");
  out.resize(out_done);
  return out;
}

}  // namespace avs::weights
