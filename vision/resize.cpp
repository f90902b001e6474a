#include "vision/resize.h"

#include "tensor/error.h"

namespace avs {

void resize(std::span<const uint8_t> in, PictureSize in_size, Box box, PictureSize out_size, std::span<float> out) {
  constexpr int64_t c = 3;
  check_box(in_size, box, out_size);
  AVS_CHECK(ShapeError, static_cast<int64_t>(in.size()) == in_size.height * in_size.width * c, "resize: ", in.size(),
            " bytes are not a picture of ", in_size.height, " x ", in_size.width);
  AVS_CHECK(ShapeError, static_cast<int64_t>(out.size()) == out_size.height * out_size.width * c,
            "resize: the output has ", out.size(), " elements");
  resize_box(in.data(), in_size, c, box, Mirrored::No, out_size, out.data());
}

}  // namespace avs
