#include "vision/image.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "tensor/error.h"

namespace avs {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 27;  // 400 MB of RGB; a header may claim anything

std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw DataError(str(path.string(), ": cannot be opened"));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The eight values of EXIF tag 0x0112: where the stored row 0 and column 0 lie in the shown picture.
Orientation orientation_of_exif(int value) {
  switch (value) {
    case 2:
      return {false, true, false};
    case 3:
      return {false, true, true};
    case 4:
      return {false, false, true};
    case 5:
      return {true, false, false};
    case 6:
      return {true, true, false};
    case 7:
      return {true, true, true};
    case 8:
      return {true, false, true};
    default:
      return {};
  }
}

// A TIFF directory inside a JPEG's APP1 segment (EXIF 2.3, section 4.6.2); anything malformed is "no orientation".
int exif_orientation(std::span<const uint8_t> tiff) {
  if (tiff.size() < 8) return 1;
  const bool little = tiff[0] == 'I';
  const auto read = [&](size_t at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | tiff[at + static_cast<size_t>(little ? bytes - 1 - i : i)];
    return value;
  };
  const size_t directory = read(4, 4);
  if (directory > tiff.size() || tiff.size() - directory < 2) return 1;
  const size_t entries = read(directory, 2);
  for (size_t i = 0, at = directory + 2; i < entries && at + 12 <= tiff.size(); ++i, at += 12)
    if (read(at, 2) == 0x0112) return static_cast<int>(read(at + 8, 2));
  return 1;
}

int jpeg_orientation(std::span<const uint8_t> jpeg) {
  size_t at = 2;
  while (at + 4 <= jpeg.size() && jpeg[at] == 0xff && jpeg[at + 1] != 0xda) {
    const size_t length = size_t{jpeg[at + 2]} << 8 | jpeg[at + 3];
    if (length < 2 || at + 2 + length > jpeg.size()) return 1;
    if (jpeg[at + 1] == 0xe1 && length > 8 && std::memcmp(&jpeg[at + 4], "Exif\0\0", 6) == 0)
      return exif_orientation(jpeg.subspan(at + 10, length - 8));
    at += 2 + length;
  }
  return 1;
}

void append(void* to, void* data, int bytes) {
  auto& out = *static_cast<std::vector<uint8_t>*>(to);
  const auto* first = static_cast<const uint8_t*>(data);
  out.insert(out.end(), first, first + bytes);
}

struct Extents {
  int width, height, channels;
};

Extents writable(const Tensor& pixels, const char* who) {
  const Shape& shape = pixels.shape();
  AVS_CHECK(ShapeError, shape.rank() == 3 && (shape[2] == 1 || shape[2] == 3) && pixels.size() > 0, who,
            ": pixels must be [h, w, 1] or [h, w, 3], got ", shape);
  AVS_CHECK(ShapeError, pixels.dtype() == DType::U8, who, ": pixels must be u8, got ", pixels.dtype());
  return {static_cast<int>(shape[1]), static_cast<int>(shape[0]), static_cast<int>(shape[2])};
}

}  // namespace

bool is_still_image(const std::filesystem::path& path) {
  std::array<char, 8> head = {};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  constexpr std::array<char, 8> png = {'\x89', 'P', 'N', 'G', '\r', '\n', '\x1a', '\n'};
  const bool jpeg = std::memcmp(head.data(), "\xff\xd8\xff", 3) == 0;
  const bool bmp = head[0] == 'B' && head[1] == 'M' && head[6] == 0 && head[7] == 0;  // bytes 6..9 are reserved zeros
  return jpeg || bmp || head == png;
}

Image read_image(const std::filesystem::path& path) {
  const std::vector<uint8_t> bytes = read_bytes(path);
  const int length = static_cast<int>(std::min<size_t>(bytes.size(), INT32_MAX));
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(bytes.data(), length, &width, &height, &channels) == 0)
    throw DataError(str(path.string(), ": cannot be read as a picture: ", stbi_failure_reason()));
  if (int64_t{width} * height > kMaxPixels)
    throw DataError(str(path.string(), ": a picture of ", width, " x ", height, " pixels is too large"));
  const std::unique_ptr<stbi_uc, void (*)(void*)> rgb(
      stbi_load_from_memory(bytes.data(), length, &width, &height, &channels, 3), stbi_image_free);
  if (!rgb) throw DataError(str(path.string(), ": cannot be read as a picture: ", stbi_failure_reason()));
  const size_t size = static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  return {Tensor::from({height, width, 3}, std::span<const uint8_t>(rgb.get(), size)),
          orientation_of_exif(jpeg_orientation(bytes))};
}

Tensor to_square(const Image& image, int64_t size) {
  const Shape& shape = image.pixels.shape();
  const FramePtr frame = make_frame();  // rows padded: libswscale's vector loops read past a row's end
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

std::vector<uint8_t> encode_png(const Tensor& pixels) {
  const Extents e = writable(pixels, "encode_png");
  std::vector<uint8_t> out;
  const int ok =
      stbi_write_png_to_func(append, &out, e.width, e.height, e.channels, pixels.raw(), e.width * e.channels);
  AVS_CHECK(Error, ok != 0, "encode_png: a picture of ", pixels.shape(), " could not be written");
  return out;
}

std::vector<uint8_t> encode_jpeg(const Tensor& pixels, int quality) {
  const Extents e = writable(pixels, "encode_jpeg");
  AVS_CHECK(UsageError, quality >= 1 && quality <= 100, "encode_jpeg: quality must be 1..100, got ", quality);
  std::vector<uint8_t> out;
  const int ok = stbi_write_jpg_to_func(append, &out, e.width, e.height, e.channels, pixels.raw(), quality);
  AVS_CHECK(Error, ok != 0, "encode_jpeg: a picture of ", pixels.shape(), " could not be written");
  return out;
}

}  // namespace avs
