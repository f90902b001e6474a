#include "apps/data/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "tensor/error.h"

namespace avs::data {
namespace {

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags) : value_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  bool close() { return ::close(std::exchange(value_, -1)) == 0; }

 private:
  int value_;
};

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

void write_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts) {
  std::filesystem::path beside = path;
  beside += ".part";
  const auto fail = [&] {
    const int reason = errno;
    ::unlink(beside.c_str());
    throw Error(str(path.string(), ": cannot be written: ", std::strerror(reason)));
  };
  Descriptor file(beside, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) fail();
  for (const std::span<const std::byte> part : parts)
    if (!write_all(file.get(), part)) fail();
  // Without the flush a power cut could leave the new name on old or no content.
  if (::fsync(file.get()) != 0 || !file.close() || ::rename(beside.c_str(), path.c_str()) != 0) fail();
}

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / ".lock";
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw Error(str(path.string(), ": cannot be written: ", std::strerror(errno)));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  ::close(descriptor_);
  throw Error(str(folder.string(), ": another process is working in this folder"));
}

FolderLock::~FolderLock() { ::close(descriptor_); }

MappedFile::MappedFile(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat status;
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0)
    throw DataError(str(path.string(), ": cannot be read: ", std::strerror(errno)));
  if (status.st_size == 0) return;
  void* const data = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) throw DataError(str(path.string(), ": cannot be mapped: ", std::strerror(errno)));
  data_ = static_cast<const std::byte*>(data);
  size_ = static_cast<size_t>(status.st_size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace avs::data
