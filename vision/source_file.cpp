#include "vision/source_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace avs {
namespace {

// Errors of the path, unlike a full table of descriptors.
bool is_of_the_file(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG || error == EACCES ||
         error == EPERM;
}

[[noreturn]] void refuse(const std::filesystem::path& path, int error) {
  if (error == ENOENT || error == ENOTDIR) throw CannotOpen(str(path.string(), ": no such file"));
  const std::string message = str(path.string(), ": cannot be opened: ", std::strerror(error));
  if (is_of_the_file(error)) throw CannotOpen(message);
  throw SystemError(message);
}

}  // namespace

SourceFile::SourceFile(const std::filesystem::path& path) : path_(path) {
  struct stat found = {};
  if (::stat(path.c_str(), &found) != 0) refuse(path, errno);
  if (!S_ISREG(found.st_mode)) throw DataError(str(path.string(), ": not a regular file"));
  do descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) refuse(path, errno);
  const int error = ::fstat(descriptor_, &found) == 0 ? 0 : errno;
  size_ = found.st_size;
  const bool is_regular = S_ISREG(found.st_mode);  // another file may have replaced it after the check
  if (error == 0 && is_regular && size_ > 0) return;
  ::close(descriptor_);
  if (error != 0) refuse(path, error);
  throw DataError(str(path.string(), is_regular ? ": the file is empty" : ": not a regular file"));
}

SourceFile::~SourceFile() { ::close(descriptor_); }

bool SourceFile::seek(int64_t position) noexcept {
  if (position < 0) return false;
  position_ = position;
  return true;
}

size_t SourceFile::read(void* to, size_t bytes) noexcept {
  const size_t got = read_at(position_, to, bytes);
  position_ += static_cast<int64_t>(got);
  return got;
}

size_t SourceFile::read_at(int64_t offset, void* to, size_t bytes) noexcept {
  size_t done = 0;
  while (done < bytes && error_ == 0 && offset >= 0) {
    const ssize_t got =
        ::pread(descriptor_, static_cast<char*>(to) + done, bytes - done, offset + static_cast<int64_t>(done));
    if (got > 0) done += static_cast<size_t>(got);
    if (got == 0) break;
    if (got < 0 && errno != EINTR) error_ = errno;
  }
  return done;
}

void SourceFile::throw_if_failed() const {
  if (error_ != 0) throw SystemError(str(path_.string(), ": cannot be read: ", std::strerror(error_)));
}

}  // namespace avs
