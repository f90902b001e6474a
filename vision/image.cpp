#include "vision/image.h"

#include <cstdlib>
#include <new>

// stb's writer does not check its allocations.
static void* allocated(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
#define STBIW_MALLOC(bytes) allocated(std::malloc(bytes))
#define STBIW_REALLOC(memory, bytes) allocated(std::realloc(memory, bytes))
#define STBIW_FREE(memory) std::free(memory)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "tensor/error.h"
#include "vision/exif.h"
#include "vision/source_file.h"

namespace avs {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 27;  // 400 MB of RGB; a header may claim any size

// The largest file: 16-bit RGBA pixels and metadata.
constexpr int64_t kMaxBytesPerPixel = 8, kMaxOtherBytes = int64_t{64} << 20;

SourceFile& source_of(void* file) { return *static_cast<SourceFile*>(file); }

constexpr stbi_io_callbacks kCallbacks = {
    .read = [](void* file, char* to, int bytes) -> int {
      return static_cast<int>(source_of(file).read(to, static_cast<size_t>(bytes)));
    },
    .skip = [](void* file, int bytes) { source_of(file).seek(source_of(file).position() + bytes); },
    .eof = [](void* file) -> int { return source_of(file).position() >= source_of(file).size() ? 1 : 0; }};

// Reads the whole file after its header's picture size was checked.
std::vector<uint8_t> read_picture(SourceFile& file) {
  const std::string path = file.path().string();
  int width = 0, height = 0, channels = 0;
  const bool is_read = stbi_info_from_callbacks(&kCallbacks, &file, &width, &height, &channels) != 0;
  file.throw_if_failed();
  if (!is_read) throw DataError(str(path, ": cannot be read as a picture: ", stbi_failure_reason()));
  const int64_t pixels = int64_t{width} * height;
  if (pixels > kMaxPixels) throw DataError(str(path, ": a picture of ", width, " x ", height, " pixels is too large"));
  const int64_t most = std::min<int64_t>(pixels * kMaxBytesPerPixel + kMaxOtherBytes, INT32_MAX);
  if (file.size() > most)
    throw DataError(
        str(path, ": ", file.size(), " bytes are too many for a picture of ", width, " x ", height, " pixels"));
  std::vector<uint8_t> bytes(static_cast<size_t>(file.size()));
  bytes.resize(file.read_at(0, bytes.data(), bytes.size()));
  file.throw_if_failed();
  return bytes;
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
  SourceFile file(path);
  std::array<char, 8> head = {};
  file.read_at(0, head.data(), head.size());
  constexpr std::array<char, 8> png = {'\x89', 'P', 'N', 'G', '\r', '\n', '\x1a', '\n'};
  const bool jpeg = std::memcmp(head.data(), "\xff\xd8\xff", 3) == 0;
  const bool bmp = head[0] == 'B' && head[1] == 'M' && head[6] == 0 && head[7] == 0;  // bytes 6..9 are reserved zeros
  const bool is_still = jpeg || bmp || (head == png && !is_animated_png(file));
  file.throw_if_failed();
  return is_still;
}

Image read_image(const std::filesystem::path& path) {
  SourceFile file(path);
  const std::vector<uint8_t> bytes = read_picture(file);
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> rgb(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, 3),
      stbi_image_free);
  if (!rgb) throw DataError(str(path.string(), ": cannot be read as a picture: ", stbi_failure_reason()));
  const size_t size = static_cast<size_t>(width) * static_cast<size_t>(height) * 3;
  return {Tensor::from({height, width, 3}, std::span<const uint8_t>(rgb.get(), size)), exif_orientation(file)};
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
