// Reads, writes and removes files. No other code of this project opens a file for writing or removes one.
//
// Writing is atomic: the bytes go to a new file beside the target, ".NAME.N.avs-part", which is flushed to disk and
// renamed; then the folder is flushed. The next writer of NAME removes what a killed process left. If `path` is a link,
// its target is replaced and the link stays. FIFOs and character devices (/dev/null, /dev/stdout) are written directly.
//
// Errors name the file and the system's reason. Calls interrupted by a signal (EINTR) are repeated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/no_copy.h"

struct XXH3_state_s;

namespace avs {

using ByteView = std::span<const std::byte>;

// ---- reading ----

// Explains why `path` is not readable: "no such file", "is a link to nothing", "is a named pipe, not a file", …; empty:
// it is a regular file. Never blocks, as it opens nothing. SystemError: an I/O error.
std::string why_no_file(const std::filesystem::path& path);

// A regular file, open for reading. DataError: the path is absent, a folder, a FIFO or a device (never blocks).
// SystemError: the system refuses (permission, descriptors, I/O error).
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  uint64_t size() const { return size_; }  // when it was opened
  // DataError: the file ends too early.
  void read(void* data, uint64_t bytes, uint64_t offset) const;
  uint64_t hash(uint64_t offset, uint64_t bytes, std::string_view before = {}) const;  // XXH3 of `before` and a range

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

std::string read_text(const std::filesystem::path& file);  // DataError above 1 GiB
// Lines without their ends ("\n" or "\r\n"). std::getline would end at a refused allocation as at the end of the text.
std::vector<std::string> lines_of(std::string_view text);
std::string file_hash(const std::filesystem::path& file);  // XXH3 of the contents, 16 hex digits
std::string hex(uint64_t hash);                            // 16 digits

// Incremental XXH3.
class Hash : NoCopy {
 public:
  Hash();
  ~Hash();
  void add(const void* data, size_t bytes);
  uint64_t value() const;

 private:
  XXH3_state_s* state_;
};

// ---- writing: every failure is a SystemError ----

class OutputFile : NoCopy {
 public:
  // `path` is unchanged until commit(). UsageError: a folder, a block device or a socket.
  explicit OutputFile(const std::filesystem::path& path);
  ~OutputFile();  // without commit() the bytes are discarded

  void write(ByteView bytes);
  void flush();   // to disk; after it only renaming can fail
  void commit();  // flush(), then replace `path`

 private:
  [[noreturn]] void fail(int reason) const;
  std::filesystem::path path_, target_;  // target_: path_ with links resolved
  std::filesystem::path unfinished_;     // empty: writes into a stream
  int descriptor_ = -1, lock_ = -1;
};

void write_file(const std::filesystem::path& path, std::span<const ByteView> parts);  // concatenated
void write_text(const std::filesystem::path& path, std::string_view text);

// Appends text to a file; creates it if absent.
class AppendedFile : NoCopy {
 public:
  explicit AppendedFile(const std::filesystem::path& path);
  ~AppendedFile();
  void write(std::string_view text);
  void flush();  // to disk

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

// Creates a folder and its missing parents.
void make_folders(const std::filesystem::path& folder);

// Allows one process per folder: holds FOLDER/.lock until destroyed.
class FolderLock : NoCopy {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();

 private:
  int descriptor_ = -1;
};

// ---- removing: only what this project wrote ----

// Removes a file that the caller wrote and flushes its folder; no error if it is absent.
void remove_file(const std::filesystem::path& file);

// Removes a folder's regular files whose name satisfies is_own(). Links and subfolders stay.
void remove_files(const std::filesystem::path& folder, const std::function<bool(const std::string& name)>& is_own);

// Removes a folder that the caller created, unless it is not empty.
void remove_empty_folder(const std::filesystem::path& folder);

// Is it a name that OutputFile gives its unfinished files: those of `target`, or of any file if empty?
bool is_unfinished(std::string_view name, std::string_view target = {});

// Removes the unfinished files that killed processes left of `file`. Call it in a locked folder: otherwise a writer may
// be active.
void remove_unfinished(const std::filesystem::path& file);

}  // namespace avs
