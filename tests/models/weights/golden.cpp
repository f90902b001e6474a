#include "tests/models/weights/golden.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include "models/weights/zip.h"

namespace avs::golden {
namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / str("avscene-weights-", ::getpid())) {
    std::filesystem::create_directories(path_);
    const weights::Bytes packed = weights::read_file(AVS_SOURCE_DIR "/tests/models/weights/golden.zip");
    const weights::ZipArchive archive(packed);
    for (const weights::ZipMember& member : archive.members()) {
      const weights::Bytes bytes = archive.read(member);
      std::ofstream(path_ / member.name, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

const std::filesystem::path& folder() {
  static const Folder unpacked;
  return unpacked.path();
}

const Checkpoint& expected() {
  static const Checkpoint values = Checkpoint::load(file("expected.safetensors"));
  return values;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

std::filesystem::path written(const std::string& name, const std::string& bytes) {
  const std::filesystem::path path = file(name);
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return path;
}

}  // namespace avs::golden
