// From a decoded picture of any size, pixel format and colour space to a square of RGB bytes, in one libswscale pass.
//
// The whole picture is squeezed into the square (no crop, no bars), so the shape of its pixels does not matter. Filter:
// bicubic, widened when shrinking (libswscale's SWS_BICUBIC), accurate rounding, full chroma resolution. Colour: the
// matrix the stream names; unnamed is BT.709 from 1280 columns or 577 lines on and BT.601 below, as players do. Range:
// as named; unnamed is limited for YUV and full for grey. Alpha is dropped: a transparent pixel keeps its own colour.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "vision/container.h"

struct SwsContext;

namespace avs {

// One of the eight ways to lay a square on itself. The shown pixel (x, y) is read from the stored place found by
// mirroring x when `flip_x`, mirroring y when `flip_y`, and then exchanging the two when `transpose`.
struct Orientation {
  bool transpose = false, flip_x = false, flip_y = false;
  bool operator==(const Orientation&) const = default;
};

// The multiple of 90 degrees (mirrored or not) nearest to a container's display matrix: nine fixed-point numbers, of
// which a, b (row 0) and c, d (row 1) map a stored pixel to the shown place (a x + c y, b x + d y).
Orientation orientation_of(const int32_t* display_matrix);
Orientation orientation_of(const AVStream& stream);  // the identity where the stream carries no matrix

// pixels: [size, size, 3] in place.
void orient(uint8_t* pixels, int64_t size, Orientation orientation);

class SquareScaler {
 public:
  explicit SquareScaler(int64_t size);  // UsageError unless 1 <= size <= 4096
  ~SquareScaler();
  SquareScaler(const SquareScaler&) = delete;
  SquareScaler& operator=(const SquareScaler&) = delete;

  // rgb: [size, size, 3]. DataError: a pixel format or size libswscale cannot read.
  void operator()(const AVFrame& frame, uint8_t* rgb);

 private:
  int64_t size_;
  SwsContext* context_ = nullptr;  // kept while frames keep their size and format
  FramePtr square_;                // rows padded: libswscale's vector loops write past a row's end
};

}  // namespace avs
