// A media file as bytes: the one way in which audio/ and vision/ open what they read. Only regular files are opened, so
// a pipe or a device never blocks a reader; an error of the machine is told apart from the end of the file, because the
// libraries that decode do not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "tensor/error.h"

namespace avs {

struct CannotOpen : DataError {
  using DataError::DataError;
};  // it is not there, or may not be read

struct Truncated : DataError {
  using DataError::DataError;
};  // it ends before the clip does

class SourceFile {
 public:
  // CannotOpen: no such file, no permission. DataError: not a regular file, or empty. std::system_error: the machine
  // refuses (EMFILE, EIO, ...).
  explicit SourceFile(const std::filesystem::path& path);
  ~SourceFile();
  SourceFile(const SourceFile&) = delete;
  SourceFile& operator=(const SourceFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  int64_t size() const { return size_; }
  int64_t position() const { return position_; }
  bool seek(int64_t position) noexcept;  // false: before the file's beginning

  // Bytes read; fewer than asked for only at the end and after an error of the machine, which throw_if_failed reports:
  // these are called by C libraries, through which no exception may pass.
  size_t read(void* to, size_t bytes) noexcept;
  size_t read_at(int64_t offset, void* to, size_t bytes) noexcept;  // leaves the position

  // std::system_error, naming the file, once a read has failed.
  void throw_if_failed() const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1, error_ = 0;
  int64_t size_ = 0, position_ = 0;
};

}  // namespace avs
