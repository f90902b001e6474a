// Files as this project reads, writes and removes them. Nothing else in it opens a file for writing or removes one.
//
// A file that is written is whole or not there: its bytes go into a new file beside it, ".NAME.N.avs-part", which is
// flushed to disk and renamed; then the folder is flushed. What a killed process left under that name is removed by
// the next that writes NAME. Where `path` is a link, the file that it points to is
// replaced and the link stays. A FIFO or a character device (/dev/null, /dev/stdout) is written into.
//
// Errors name the file and the system's reason. Calls that a signal breaks off (EINTR) are made again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace avs {

using ByteView = std::span<const std::byte>;

// ---- reading ----

// "no such file", "is a link to nothing", "is a named pipe, not a file", …: why nothing can be read there; empty: a
// regular file is there. Opens nothing, so it never waits. SystemError: the machine fails.
std::string why_no_file(const std::filesystem::path& path);

// A regular file, open for reading. DataError: it is absent, or it is a folder, a FIFO, a device (nothing waits for
// them). SystemError: the system refuses (permission, descriptors, a bad disk).
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  uint64_t size() const { return size_; }  // when it was opened
  // DataError when the file ends before.
  void read(void* data, uint64_t bytes, uint64_t offset) const;
  uint64_t hash(uint64_t offset, uint64_t bytes, std::string_view before = {}) const;  // XXH3 of `before` and a range

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

std::string read_text(const std::filesystem::path& file);  // at most 1 GiB: DataError
std::string file_hash(const std::filesystem::path& file);  // XXH3 of the contents, 16 hex digits
std::string hex(uint64_t hash);                            // 16 digits

// XXH3 of bytes that come piece by piece.
class Hash {
 public:
  Hash();
  ~Hash();
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  void add(const void* data, size_t bytes);
  uint64_t value() const;

 private:
  XXH3_state_s* state_;
};

// ---- writing: every failure is a SystemError ----

class OutputFile {
 public:
  // Nothing happens to `path` before commit(). UsageError: a folder, a block device or a socket.
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();  // without commit() the bytes are dropped
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(ByteView bytes);
  void flush();   // to disk; what can go wrong has gone wrong then
  void commit();  // flush(), and `path` holds the bytes

 private:
  [[noreturn]] void fail(int reason) const;
  std::filesystem::path path_, target_;  // as given, and behind links
  std::filesystem::path unfinished_;     // empty: a stream
  int descriptor_ = -1, lock_ = -1;
};

void write_file(const std::filesystem::path& path, std::span<const ByteView> parts);  // one after the other
void write_text(const std::filesystem::path& path, std::string_view text);

// Lines behind those that a file has; made where it is not there.
class AppendedFile {
 public:
  explicit AppendedFile(const std::filesystem::path& path);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;
  void write(std::string_view text);
  void flush();  // to disk

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

// The folder and those above it, as far as they are missing.
void make_folders(const std::filesystem::path& folder);

// A folder that only one process works in: holds FOLDER/.lock until destroyed.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

// ---- removing: only what this project wrote ----

// One file that the caller wrote; absent is well. Its folder is flushed.
void remove_file(const std::filesystem::path& file);

// The regular files of a folder whose names is_own() takes. Links and folders stay.
void remove_files(const std::filesystem::path& folder, const std::function<bool(const std::string& name)>& is_own);

// A folder that the caller made, unless something is in it.
void remove_empty_folder(const std::filesystem::path& folder);

// A name that OutputFile gives, of the file `target` or, where that is empty, of any.
bool is_unfinished(std::string_view name, std::string_view target = {});

// Whatever killed processes left of `file`. For a folder that is locked: elsewhere it may be under way.
void remove_unfinished(const std::filesystem::path& file);

}  // namespace avs
