// Files that are either whole or not there: written beside their place, flushed to disk, then renamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace avs::data {

// `path` afterwards holds exactly `parts`, one after the other, or what it held before. The unfinished file is
// `path` + ".part"; a killed process may leave one. Error: one line with path and the system's reason (disk full, …).
void write_atomically(const std::filesystem::path& path, std::span<const std::span<const std::byte>> parts);

// A folder that only one process works in: holds FOLDER/.lock until destroyed. Error when somebody else holds it.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

// A whole file mapped for reading. DataError when it cannot be opened; an empty file is an empty span.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace avs::data
