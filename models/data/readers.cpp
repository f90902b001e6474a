#include "models/data/readers.h"

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
  static const ReaderVersions versions = [] {
    ReaderVersions all;
    const auto raise = [&](int version, std::initializer_list<const char*> kinds) {
      for (const char* kind : kinds) all[kind] = version;
    };
    // Counts pictures, not packets (interlaced H.264 has two per picture); time continues when a clock restarts.
    raise(2, {"264", "h264", "m2ts", "mkv", "mpeg", "mpg", "mts", "ts", "vob"});
    // Reads palettes beside the first packet, animations' pictures and EXIF orientation.
    raise(2, {"apng", "avi", "png", "tif", "tiff", "webp"});
    // Refuses cut sound; downmixes by the file's own speaker positions.
    raise(2, {"aac", "aif", "aiff", "flac", "m4a", "mp3", "ogg", "opus", "wav"});
    return all;
  }();
  return versions;
}

std::string readers_of(const ReaderVersions& versions, const std::string& audio, const std::string& video) {
  const std::string of_video = reader_of(versions, video);
  return of_video + (audio == video ? "" : reader_of(versions, audio));
}

}  // namespace avs::data
