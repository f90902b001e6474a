#include "apps/data/readers.h"

#include <algorithm>
#include <filesystem>

#include "tensor/error.h"

namespace avs::data {
namespace {

std::string kind_of_file(const std::string& file) {
  std::string kind = std::filesystem::path(file).extension().string();
  if (!kind.empty()) kind.erase(0, 1);
  std::ranges::transform(kind, kind.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return kind;
}

std::string reader_of(const ReaderVersions& versions, const std::string& file) {
  const auto found = versions.find(kind_of_file(file));
  return found == versions.end() || found->second < 2 ? std::string() : str(", ", found->first, " ", found->second);
}

}  // namespace

const ReaderVersions& reader_versions() {
  static const ReaderVersions versions = {
      // 2: pictures are counted, not packets (interlaced H.264 has two packets a picture)
      {"264", 2},  {"h264", 2}, {"m2ts", 2}, {"mkv", 2}, {"mpeg", 2},
      {"mpg", 2},  {"mts", 2},  {"ts", 2},   {"vob", 2}, {"avi", 2},  // 2: a palette that comes beside the first packet
      {"apng", 2},  // 2: an animation's pictures, and a picture turned as EXIF says
      {"png", 2},  {"webp", 2},
  };
  return versions;
}

std::string readers_of(const ReaderVersions& versions, const std::string& audio, const std::string& video) {
  const std::string of_video = reader_of(versions, video);
  return of_video + (audio == video ? "" : reader_of(versions, audio));
}

}  // namespace avs::data
