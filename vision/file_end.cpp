#include "vision/file_end.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace avs {
namespace {

enum class Endian { Big, Little };

class Bytes {  // bytes of one file; zero beyond its end
 public:
  explicit Bytes(SourceFile& file) : file_(file) {}
  int64_t size() const { return file_.size(); }
  uint64_t number(int64_t at, int bytes, Endian endian) {
    std::array<uint8_t, 8> read = {};
    file_.read_at(at, read.data(), static_cast<size_t>(bytes));
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value = value << 8 | read[static_cast<size_t>(endian == Endian::Big ? i : bytes - 1 - i)];
    return value;
  }
  std::string mark(int64_t at) {  // four letters
    std::string letters(4, '\0');
    file_.read_at(at, letters.data(), letters.size());
    return letters;
  }
  SourceFile& file() { return file_; }

 private:
  SourceFile& file_;
};

// Less than 5 % missing does not count as cut: a writer may forget the padding of its last chunk.
FileEnd judge(int64_t announced, int64_t found) {
  return announced - found > announced / 20 ? FileEnd::Cut : FileEnd::Whole;
}

bool is_box(std::string_view type) {
  constexpr std::array<std::string_view, 16> known = {"ftyp", "styp", "moov", "moof", "mdat", "mfra", "free", "skip",
                                                      "wide", "uuid", "sidx", "ssix", "prft", "emsg", "meta", "pnot"};
  return std::ranges::find(known, type) != known.end();
}

struct Boxes {
  FileEnd end = FileEnd::Whole;
  bool has_fragments = false;
};

// ISO/IEC 14496-12, 4.2: size (32 bits; 1: 64 bits follow the type; 0: to the end of the file), type.
Boxes walk_boxes(Bytes& bytes) {
  Boxes boxes;
  for (int64_t at = 0; at + 8 <= bytes.size();) {
    const std::string type = bytes.mark(at + 4);
    if (!is_box(type)) return boxes;  // padding after the last box
    boxes.has_fragments |= type == "moof";
    uint64_t length = bytes.number(at, 4, Endian::Big);
    if (length == 1) length = bytes.number(at + 8, 8, Endian::Big);
    if (length < 8) boxes.end = FileEnd::Unknown;
    if (length > static_cast<uint64_t>(bytes.size() - at)) boxes.end = FileEnd::Cut;
    if (boxes.end != FileEnd::Whole) return boxes;
    at += static_cast<int64_t>(length);
  }
  return boxes;
}

struct EbmlLength {
  int64_t value;
  int bytes;
  bool is_known;
};

// RFC 8794, 4: the leading zeros of the first byte give the number of following bytes; all ones means "unknown".
EbmlLength ebml_length(Bytes& bytes, int64_t at) {
  const auto first = static_cast<uint8_t>(bytes.number(at, 1, Endian::Big));
  int width = 1;
  while (width <= 8 && (first & (0x80 >> (width - 1))) == 0) ++width;
  if (width > 8) return {0, 1, false};
  const uint64_t mask = (uint64_t{1} << (7 * width)) - 1;
  const uint64_t value = bytes.number(at, width, Endian::Big) & mask;
  return {static_cast<int64_t>(value), width, value != mask};
}

FileEnd end_of_matroska(Bytes& bytes) {
  const EbmlLength head = ebml_length(bytes, 4);
  const int64_t segment = 4 + head.bytes + head.value;
  if (!head.is_known || segment > bytes.size() || bytes.number(segment, 4, Endian::Big) != 0x18538067)
    return FileEnd::Unknown;
  const EbmlLength length = ebml_length(bytes, segment + 4);
  if (!length.is_known) return FileEnd::Unknown;
  return segment + 4 + length.bytes + length.value > bytes.size() ? FileEnd::Cut : FileEnd::Whole;
}

// A program that writes to a pipe leaves 0 or the largest number as the length.
bool is_placeholder(uint64_t length) { return length == 0 || length >= 0x7ffff000; }

// RIFF and AIFF: chunks of a four-letter type and a length, padded to even lengths. One of them holds the sound.
FileEnd end_of_chunks(Bytes& bytes, Endian endian, std::string_view sound) {
  for (int64_t at = 12; at + 8 <= bytes.size();) {
    const uint64_t length = bytes.number(at + 4, 4, endian);
    if (bytes.mark(at) == sound) {
      if (is_placeholder(length)) return FileEnd::Whole;
      return judge(static_cast<int64_t>(length), bytes.size() - at - 8);
    }
    at += 8 + static_cast<int64_t>(length + (length & 1));
  }
  return FileEnd::Unknown;
}

// AVI: one RIFF form after another (OpenDML).
FileEnd end_of_avi(Bytes& bytes) {
  for (int64_t at = 0; at + 8 <= bytes.size() && bytes.mark(at) == "RIFF";) {
    const uint64_t length = bytes.number(at + 4, 4, Endian::Little);
    if (is_placeholder(length)) return FileEnd::Whole;
    if (judge(static_cast<int64_t>(length), bytes.size() - at - 8) == FileEnd::Cut) return FileEnd::Cut;
    at += 8 + static_cast<int64_t>(length + (length & 1));
  }
  return FileEnd::Whole;
}

// FLV: after each tag comes its length, which is 11 more than in its header.
FileEnd end_of_flv(Bytes& bytes) {
  const auto length = static_cast<int64_t>(bytes.number(bytes.size() - 4, 4, Endian::Big));
  const int64_t tag = bytes.size() - 4 - length;
  if (length < 11 || tag < 9) return FileEnd::Cut;
  const uint64_t type = bytes.number(tag, 1, Endian::Big) & 31;
  const bool is_tag = type == 8 || type == 9 || type == 18;
  return is_tag && static_cast<int64_t>(bytes.number(tag + 1, 3, Endian::Big)) + 11 == length ? FileEnd::Whole
                                                                                              : FileEnd::Cut;
}

// Ogg (RFC 3533, 6): a page has at most 27 + 255 + 255 * 255 bytes.
FileEnd end_of_ogg(Bytes& bytes) {
  constexpr int64_t kMaxPage = 27 + 255 + 255 * 255;
  std::string tail(static_cast<size_t>(std::min(bytes.size(), kMaxPage)), '\0');
  const int64_t from = bytes.size() - static_cast<int64_t>(tail.size());
  tail.resize(bytes.file().read_at(from, tail.data(), tail.size()));
  const size_t page = tail.rfind("OggS");
  if (page == std::string::npos) return FileEnd::Cut;
  if (page + 27 > tail.size()) return FileEnd::Cut;
  const auto segments = static_cast<uint8_t>(tail[page + 26]);
  size_t end = page + 27 + segments;
  if (end > tail.size()) return FileEnd::Cut;
  for (size_t i = page + 27; i < page + 27 + segments; ++i) end += static_cast<uint8_t>(tail[i]);
  return end > tail.size() ? FileEnd::Cut : FileEnd::Whole;
}

// AU: the header holds the offset and length of the sound.
FileEnd end_of_au(Bytes& bytes) {
  const uint64_t length = bytes.number(8, 4, Endian::Big);
  if (is_placeholder(length)) return FileEnd::Whole;
  return judge(static_cast<int64_t>(length), bytes.size() - static_cast<int64_t>(bytes.number(4, 4, Endian::Big)));
}

// ASF (WMV, WMA): the header's file properties hold the file's length, unless it was broadcast.
FileEnd end_of_asf(Bytes& bytes) {
  constexpr uint64_t kFileProperties = 0xa1dcab8c47a9cf11;  // the first half of its GUID
  const auto objects = static_cast<int64_t>(bytes.number(24, 4, Endian::Little));
  int64_t at = 30;
  for (int64_t i = 0; i < objects && at + 104 <= bytes.size(); ++i) {
    if (bytes.number(at, 8, Endian::Big) == kFileProperties) {
      if ((bytes.number(at + 88, 4, Endian::Little) & 1) != 0) return FileEnd::Unknown;
      const uint64_t length = bytes.number(at + 40, 8, Endian::Little);
      if (length == 0 || length > uint64_t{1} << 60) return FileEnd::Unknown;
      return judge(static_cast<int64_t>(length), bytes.size());
    }
    const uint64_t length = bytes.number(at + 16, 8, Endian::Little);
    if (length < 24 || length > static_cast<uint64_t>(bytes.size() - at)) return FileEnd::Unknown;
    at += static_cast<int64_t>(length);
  }
  return FileEnd::Unknown;
}

FileEnd judge_by_format(Bytes& bytes) {
  const std::string mark = bytes.mark(0), second = bytes.mark(4), form = bytes.mark(8);
  if (mark == "RIFF" && form == "AVI ") return end_of_avi(bytes);
  if (mark == "RIFF" && form == "WAVE") return end_of_chunks(bytes, Endian::Little, "data");
  if (mark == "RIFX" && form == "WAVE") return end_of_chunks(bytes, Endian::Big, "data");
  if (mark == "FORM" && form.starts_with("AIF")) return end_of_chunks(bytes, Endian::Big, "SSND");
  if (mark == "OggS") return end_of_ogg(bytes);
  if (mark.starts_with("FLV")) return end_of_flv(bytes);
  if (mark == ".snd") return end_of_au(bytes);
  if (mark == "\x30\x26\xb2\x75") return end_of_asf(bytes);
  if (mark == "\x1a\x45\xdf\xa3") return end_of_matroska(bytes);
  if (is_box(second)) return walk_boxes(bytes).end;
  return FileEnd::Unknown;
}

}  // namespace

FileEnd end_of(SourceFile& file) {
  Bytes bytes(file);
  const FileEnd end = judge_by_format(bytes);
  file.throw_if_failed();
  return end;
}

bool is_fragmented(SourceFile& file) {
  Bytes bytes(file);
  const bool has_fragments = walk_boxes(bytes).has_fragments;
  file.throw_if_failed();
  return has_fragments;
}

}  // namespace avs
