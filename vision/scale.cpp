#include "vision/scale.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "tensor/error.h"
#include "vision/image.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace avs {
namespace {

// yuvj formats are the older way to say "full range"; libswscale needs the plain format and the range.
AVPixelFormat plain_format(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ411P: return AV_PIX_FMT_YUV411P;
    case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ440P: return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
    default: return format;
  }
}

bool is_grey(AVPixelFormat format) {
  const AVPixFmtDescriptor* description = av_pix_fmt_desc_get(format);
  return description != nullptr && description->nb_components <= 2 && (description->flags & AV_PIX_FMT_FLAG_PAL) == 0;
}

bool is_full_range(const AVFrame& frame, AVPixelFormat plain) {
  if (plain != frame.format || frame.color_range == AVCOL_RANGE_JPEG) return true;
  return frame.color_range == AVCOL_RANGE_UNSPECIFIED && is_grey(plain);
}

int matrix_of(const AVFrame& frame) {
  switch (frame.colorspace) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    case AVCOL_SPC_UNSPECIFIED: return frame.width >= 1280 || frame.height > 576 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    default: return SWS_CS_ITU601;
  }
}

}  // namespace

// ---- orientation ------------------------------------------------------------

Orientation orientation_of(const int32_t* m) {
  const int64_t a = m[0], b = m[1], c = m[3], d = m[4];
  if (std::llabs(a) + std::llabs(d) >= std::llabs(b) + std::llabs(c)) return {false, a < 0, d < 0};
  return {true, c < 0, b < 0};
}

Orientation orientation_of(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const AVPacketSideData* side = av_packet_side_data_get(
      stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  const uint8_t* matrix = side == nullptr ? nullptr : side->data;
#else
  const uint8_t* matrix = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, nullptr);
#endif
  if (matrix == nullptr) return {};
  std::array<int32_t, 9> numbers;
  std::memcpy(numbers.data(), matrix, sizeof numbers);
  return orientation_of(numbers.data());
}

void orient(uint8_t* pixels, int64_t size, Orientation orientation) {
  if (orientation == Orientation{}) return;
  const std::vector<uint8_t> stored(pixels, pixels + size * size * 3);
  for (int64_t y = 0; y < size; ++y)
    for (int64_t x = 0; x < size; ++x) {
      int64_t from_x = orientation.flip_x ? size - 1 - x : x, from_y = orientation.flip_y ? size - 1 - y : y;
      if (orientation.transpose) std::swap(from_x, from_y);
      std::memcpy(pixels + (y * size + x) * 3, stored.data() + (from_y * size + from_x) * 3, 3);
    }
}

// ---- scaling ----------------------------------------------------------------

SquareScaler::SquareScaler(int64_t size) : size_(size), square_(make_frame()) {
  if (size < 1 || size > 4096) throw UsageError(str("the image size must be 1 to 4096 pixels, got ", size));
  square_->format = AV_PIX_FMT_RGB24;
  square_->width = square_->height = static_cast<int>(size);
  if (av_frame_get_buffer(square_.get(), 64) < 0) throw std::bad_alloc();
}

SquareScaler::~SquareScaler() { sws_freeContext(context_); }

void SquareScaler::operator()(const AVFrame& frame, uint8_t* rgb) {
  const AVPixelFormat format = plain_format(static_cast<AVPixelFormat>(frame.format));
  const int size = static_cast<int>(size_);
  const int flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;
  context_ = sws_getCachedContext(context_, frame.width, frame.height, format, size, size, AV_PIX_FMT_RGB24, flags,
                                  nullptr, nullptr, nullptr);
  if (context_ == nullptr) {
    if (sws_isSupportedInput(format) != 0 && frame.width > 0 && frame.height > 0) throw std::bad_alloc();
    const char* name = av_get_pix_fmt_name(format);
    throw DataError(str("a picture of ", frame.width, " x ", frame.height, " pixels in format ",
                        name == nullptr ? "unknown" : name, " cannot be converted to RGB"));
  }
  // Fails for RGB sources, which need neither matrix nor range: ignored.
  sws_setColorspaceDetails(context_, sws_getCoefficients(matrix_of(frame)), is_full_range(frame, format) ? 1 : 0,
                           sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
  sws_scale(context_, frame.data, frame.linesize, 0, frame.height, square_->data, square_->linesize);
  for (int64_t y = 0; y < size_; ++y)
    std::memcpy(rgb + y * size_ * 3, square_->data[0] + y * square_->linesize[0], static_cast<size_t>(size_ * 3));
}

Tensor to_square(const Image& image, int64_t size) {
  const Shape& shape = image.pixels.shape();
  const FramePtr frame = make_frame();  // rows are padded: libswscale's vector loops read past a row's end
  frame->format = AV_PIX_FMT_RGB24;
  frame->height = static_cast<int>(shape[0]);
  frame->width = static_cast<int>(shape[1]);
  if (av_frame_get_buffer(frame.get(), 64) < 0) throw std::bad_alloc();
  const size_t row_bytes = static_cast<size_t>(shape[1]) * 3;
  for (int64_t y = 0; y < shape[0]; ++y)
    std::memcpy(frame->data[0] + y * frame->linesize[0],
                image.pixels.data<uint8_t>() + static_cast<size_t>(y) * row_bytes, row_bytes);
  Tensor square = Tensor::empty({size, size, 3}, DType::U8);
  SquareScaler scale(size);
  scale(*frame, square.data<uint8_t>());
  orient(square.data<uint8_t>(), size, image.orientation);
  return square;
}

}  // namespace avs
