#include "vision/exif.h"

#include <array>
#include <cctype>
#include <string>

namespace avs {
namespace {

constexpr int kMaxParts = 100'000;  // max number of segments or chunks to read

class Fields {  // integers and text of a file; zero beyond its end
 public:
  explicit Fields(SourceFile& file) : file_(file) {}
  int64_t size() const { return file_.size(); }
  uint32_t big(int64_t at, int bytes) const { return number(at, bytes, false); }
  uint32_t little(int64_t at, int bytes) const { return number(at, bytes, true); }
  std::string text(int64_t at, size_t bytes) const {
    std::string letters(bytes, '\0');
    file_.read_at(at, letters.data(), bytes);
    return letters;
  }
  uint32_t number(int64_t at, int bytes, bool little) const {
    std::array<uint8_t, 4> read = {};
    file_.read_at(at, read.data(), static_cast<size_t>(bytes));
    uint32_t value = 0;
    for (int i = 0; i < bytes; ++i) value = value << 8 | read[static_cast<size_t>(little ? bytes - 1 - i : i)];
    return value;
  }

 private:
  SourceFile& file_;
};

// The eight values of tag 0x0112: positions of the stored row 0 and column 0 in the shown picture.
Orientation orientation_of_exif(uint32_t value) {
  switch (value) {
    case 2: return {false, true, false};
    case 3: return {false, true, true};
    case 4: return {false, false, true};
    case 5: return {true, false, false};
    case 6: return {true, true, false};
    case 7: return {true, true, true};
    case 8: return {true, false, true};
    default: return {};
  }
}

bool is_tiff(const std::string& head) { return head == std::string("II*\0", 4) || head == std::string("MM\0*", 4); }

// The value of tag 0x0112 in a TIFF directory (EXIF 2.3, section 4.6.2) at `base`; 0: no such tag.
uint32_t tag_in_tiff(const Fields& file, int64_t base) {
  if (!is_tiff(file.text(base, 4))) return 0;
  const bool little = file.text(base, 1) == "I";
  const int64_t directory = base + file.number(base + 4, 4, little);
  const uint32_t entries = file.number(directory, 2, little);
  for (uint32_t i = 0; i < entries; ++i) {
    const int64_t entry = directory + 2 + 12 * int64_t{i};
    if (entry + 12 > file.size()) return 0;
    if (file.number(entry, 2, little) == 0x0112) return file.number(entry + 8, 2, little);
  }
  return 0;
}

// The tag in a chunk of another format; some writers keep JPEG's prefix.
uint32_t tag_in_part(const Fields& file, int64_t at) {
  return tag_in_tiff(file, file.text(at, 6) == std::string("Exif\0\0", 6) ? at + 6 : at);
}

uint32_t tag_in_jpeg(const Fields& file) {
  int64_t at = 2;
  for (int parts = 0; parts < kMaxParts && at + 4 <= file.size(); ++parts) {
    const uint32_t marker = file.big(at, 2), length = file.big(at + 2, 2);
    if (marker < 0xff00 || marker == 0xffda || length < 2) return 0;
    if (marker == 0xffe1 && file.text(at + 4, 6) == std::string("Exif\0\0", 6)) return tag_in_part(file, at + 4);
    at += 2 + length;
  }
  return 0;
}

const std::string kPng = "\x89PNG\r\n\x1a\n";

// Position of the first chunk of a type; 0: none before the chunk `end`.
int64_t png_chunk(const Fields& file, const std::string& type, const std::string& end) {
  int64_t at = 8;
  for (int parts = 0; parts < kMaxParts && at + 12 <= file.size(); ++parts) {
    const std::string found = file.text(at + 4, 4);
    if (found == type) return at + 8;
    if (found == end || std::isalpha(static_cast<unsigned char>(found[0])) == 0) return 0;
    at += 12 + int64_t{file.big(at, 4)};
  }
  return 0;
}

bool is_webp(const Fields& file) { return file.text(0, 4) == "RIFF" && file.text(8, 4) == "WEBP"; }

uint32_t tag_in_webp(const Fields& file) {
  int64_t at = 12;
  for (int parts = 0; parts < kMaxParts && at + 8 <= file.size(); ++parts) {
    if (file.text(at, 4) == "EXIF") return tag_in_part(file, at + 8);
    const int64_t length = file.little(at + 4, 4);
    at += 8 + length + (length & 1);
  }
  return 0;
}

uint32_t tag_in(const Fields& file) {
  if (file.big(0, 3) == 0xffd8ff) return tag_in_jpeg(file);
  if (is_webp(file)) return tag_in_webp(file);
  if (file.text(0, 8) != kPng) return tag_in_tiff(file, 0);
  const int64_t chunk = png_chunk(file, "eXIf", "IEND");
  return chunk == 0 ? 0 : tag_in_part(file, chunk);
}

}  // namespace

Orientation exif_orientation(SourceFile& file) {
  const Orientation orientation = orientation_of_exif(tag_in(Fields(file)));
  file.throw_if_failed();
  return orientation;
}

bool is_animated_png(SourceFile& file) {
  const Fields fields(file);
  return fields.text(0, 8) == kPng && png_chunk(fields, "acTL", "IDAT") != 0;
}

bool is_animated_webp(SourceFile& file) {
  const Fields fields(file);
  return is_webp(fields) && fields.text(12, 4) == "VP8X" && (fields.big(20, 1) & 2) != 0;
}

}  // namespace avs
