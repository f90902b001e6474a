// Small data sets for the tests of apps/data: short mp4 files with a coloured picture and a tone, and tables.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "apps/data/media_writer.h"
#include "apps/data/prepare.h"
#include "tensor/error.h"

namespace avs::test {

namespace fs = std::filesystem;

class Folder {  // lives as long as the test
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "avscene-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error("no temporary folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

// A grey picture of 2 x 2 pixels: the cheapest clip there is.
inline void write_picture(const fs::path& path, char level = 100) {
  std::string bmp("BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\2\0\0\0\2\0\0\0\1\0\x18\0", 30);
  bmp.resize(54);
  for (int row = 0; row < 2; ++row) bmp += std::string(6, level) + std::string(2, '\0');
  write_text(path, bmp);
}

enum class Holds { Both, SoundOnly, PictureOnly };

// `which` colours the picture and tunes the sound.
inline void write_clip(const fs::path& path, int which, double seconds = 1.5, Holds holds = Holds::Both) {
  fs::create_directories(path.parent_path());
  data::MediaContents contents;
  if (holds != Holds::SoundOnly) {
    const auto frames = static_cast<int64_t>(seconds * contents.frames_per_second);
    contents.frames = Tensor::empty({frames, 32, 48, 3}, DType::U8);
    for (int64_t i = 0; i < contents.frames.size(); ++i)
      contents.frames.data<uint8_t>()[i] =
          static_cast<uint8_t>(40 + (which * 37 + i % 3 * 60 + i / (32 * 48 * 3) * 3 + i / 3 % 48) % 180);
  }
  if (holds != Holds::PictureOnly)
    for (int64_t i = 0; i < static_cast<int64_t>(seconds * 44100); ++i) {
      const double t = static_cast<double>(i) / 44100;
      contents.samples.push_back(static_cast<float>(0.4 * std::sin(6.283 * (200 + 50 * which) * t)));
      contents.samples.push_back(static_cast<float>(0.3 * std::sin(6.283 * (330 + 70 * which) * t)));
    }
  write_mp4(path, contents);
}

inline data::PrepareOptions small_options(const fs::path& root, const fs::path& cache) {
  data::PrepareOptions options;
  options.data = root;
  options.cache = cache;
  options.arrays.frames.image_size = 24;
  options.arrays.spectrograms.kinds = {Modality::Mel};
  return options;
}

inline std::map<std::string, std::string> contents_of(const fs::path& folder) {  // relative path -> bytes
  std::map<std::string, std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    files[entry.path().lexically_relative(folder).string()] = {std::istreambuf_iterator<char>(in), {}};
  }
  return files;
}

inline std::optional<fs::path> test_data(const std::string& name) {
  const char* root = std::getenv("AVS_DATA");
  const fs::path path = (root != nullptr ? fs::path(root) : fs::path(AVS_SOURCE_DIR) / "../shared/data") / name;
  if (!fs::exists(path)) return std::nullopt;
  return path;
}

// The message of the DataError or UsageError that f throws.
template <typename F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace avs::test
