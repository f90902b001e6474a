// Converts a decoded picture of any size, pixel format and colour space to a square of RGB bytes, by one libswscale
// call.
//
// The whole picture is scaled to the square (no crop, no bars), so pixel aspect does not matter. Filter: bicubic,
// widened for shrinking (libswscale's SWS_BICUBIC), accurate rounding, full chroma resolution. Matrix: the stream's; if
// it names none, BT.709 from 1280 columns or 577 lines on, BT.601 below, as players do. Range: the stream's; if it
// names none, limited for YUV, full for grey. Alpha is dropped: a transparent pixel keeps its colour.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "tensor/no_copy.h"
#include "vision/container.h"

struct SwsContext;

namespace avs {

// One of eight rotations and mirrorings. The shown pixel (x, y) is read from the stored pixel found by mirroring x if
// `flip_x`, mirroring y if `flip_y`, then swapping both if `transpose`.
struct Orientation {
  bool transpose = false, flip_x = false, flip_y = false;
  bool operator==(const Orientation&) const = default;
};

// The multiple of 90 degrees (mirrored or not) nearest to a container's display matrix: nine fixed-point numbers; a, b
// (row 0) and c, d (row 1) map a stored pixel to the shown position (a x + c y, b x + d y).
Orientation orientation_of(const int32_t* display_matrix);
Orientation orientation_of(const AVStream& stream);  // the identity if the stream has no matrix

// Rotates pixels [size, size, 3] in place.
void orient(uint8_t* pixels, int64_t size, Orientation orientation);

class SquareScaler : NoCopy {
 public:
  explicit SquareScaler(int64_t size);  // UsageError unless 1 <= size <= 4096
  ~SquareScaler();

  // rgb: [size, size, 3]. DataError: a pixel format or size that libswscale cannot read.
  void operator()(const AVFrame& frame, uint8_t* rgb);

 private:
  int64_t size_;
  SwsContext* context_ = nullptr;  // reused while frames keep their size and format
  FramePtr square_;                // rows are padded: libswscale's vector loops write past a row's end
};

}  // namespace avs
