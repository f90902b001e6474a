// Reads a media file's bytes; audio/ and vision/ open all their files with it. Only regular files are opened, so a pipe
// or a device never blocks. It distinguishes I/O errors from the end of the file, because the decoding libraries do
// not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "tensor/error.h"
#include "tensor/no_copy.h"

namespace avs {

struct CannotOpen : DataError {
  using DataError::DataError;
};  // the file does not exist or is not readable

struct Truncated : DataError {
  using DataError::DataError;
};  // the file ends before the clip does

class SourceFile : NoCopy {
 public:
  // CannotOpen: no such file, no permission. DataError: not a regular file, or empty. SystemError: an I/O error
  // (EMFILE, EIO, ...).
  explicit SourceFile(const std::filesystem::path& path);
  ~SourceFile();

  const std::filesystem::path& path() const { return path_; }
  int64_t size() const { return size_; }
  int64_t position() const { return position_; }
  bool seek(int64_t position) noexcept;  // false: negative position

  // Return the number of bytes read: fewer than requested only at the end or after an I/O error, which throw_if_failed
  // reports. C libraries call them, so they must not throw.
  size_t read(void* to, size_t bytes) noexcept;
  size_t read_at(int64_t offset, void* to, size_t bytes) noexcept;  // keeps the position

  // After a failed read: throws SystemError with the file's name.
  void throw_if_failed() const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1, error_ = 0;
  int64_t size_ = 0, position_ = 0;
};

}  // namespace avs
