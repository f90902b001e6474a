#include "models/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <new>
#include <optional>
#include <utility>

#include "autograd/interrupt.h"
#include "tensor/error.h"

namespace avs {
namespace {

namespace fs = std::filesystem;

std::string_view kind_of(mode_t mode) {
  return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a named pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

constexpr std::string_view kUnfinished = ".avs-part";
constexpr size_t kMaxAtOnce = size_t{1} << 30;  // per call: Linux moves at most 2 GiB

// Repeats a system call while signals interrupt it.
template <typename Call>
auto retried(const Call& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

int open_file(const fs::path& path, int flags) {
  return retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0644); });
}

// Linux closes the descriptor even if a signal interrupts close().
bool close_file(int& descriptor) { return ::close(std::exchange(descriptor, -1)) == 0 || errno == EINTR; }

// Some file systems cannot flush (EINVAL, ENOTSUP): ignored.
bool flush_file(int descriptor) {
  return retried([&] { return ::fsync(descriptor); }) == 0 || errno == EINVAL || errno == ENOTSUP;
}

bool write_all(int descriptor, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t put = retried([&] { return ::write(descriptor, bytes.data(), std::min(bytes.size(), kMaxAtOnce)); });
    if (put < 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  return true;
}

[[noreturn]] void fail_on(const fs::path& path, const char* what, int reason) {
  throw SystemError(str(path.string(), ": ", what, ": ", std::strerror(reason)));
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void flush_folder(const fs::path& folder) {
  int descriptor = open_file(folder, O_RDONLY | O_DIRECTORY);
  const bool is_flushed = descriptor >= 0 && flush_file(descriptor);
  const int reason = errno;
  if (descriptor >= 0) close_file(descriptor);
  if (!is_flushed) fail_on(folder, "this folder cannot be flushed to disk", reason);
}

bool is_about_the_name(int reason) {
  return reason == ENOENT || reason == ENOTDIR || reason == EISDIR || reason == ELOOP || reason == ENAMETOOLONG ||
         reason == ENXIO;
}

// ---- choosing the file to write ----

// N for /dev/fd/N, /dev/stdout etc.: such a path means an open descriptor of this process.
std::optional<int> own_descriptor(const fs::path& link) {
  std::error_code error;
  const fs::path folder = fs::canonical(parent_of(link), error);
  const std::string name = link.filename().string();
  const bool is_number = !name.empty() && name.size() < 6 && name.find_first_not_of("0123456789") == std::string::npos;
  if (error || !is_number || folder != fs::path(str("/proc/", ::getpid(), "/fd"))) return std::nullopt;
  return std::stoi(name);
}

struct Place {
  fs::path path;              // all links resolved
  std::optional<int> opened;  // a descriptor of this process that was open before
};

Place place_of(fs::path path) {
  constexpr int kMaxLinks = 40;
  const fs::path given = path;
  std::error_code error;
  for (int i = 0; i < kMaxLinks; ++i) {
    if (!fs::is_symlink(path, error)) return {path, std::nullopt};
    if (const auto opened = own_descriptor(path)) return {path, opened};
    const fs::path next = fs::read_symlink(path, error);
    path = next.is_absolute() ? next : parent_of(path) / next;
  }
  fail_on(given, "cannot be written", ELOOP);
}

// Opening a FIFO blocks until it has a reader, so Ctrl-C must interrupt it.
int open_stream(const Place& place) {
  if (place.opened == STDOUT_FILENO) std::cout.flush();
  if (place.opened) return ::fcntl(*place.opened, F_DUPFD_CLOEXEC, 0);
  for (;;) {
    const int descriptor = ::open(place.path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor >= 0 || errno != EINTR) return descriptor;
    stop_if_interrupted();
  }
}

fs::path unfinished_name(const fs::path& target, int number) {
  return parent_of(target) / str(".", target.filename().string().substr(0, 200), ".", number, kUnfinished);
}

// Removes an unfinished file unless its writer still holds the lock (the system releases a killed writer's lock).
// False: it is being written, or is not ours.
bool remove_abandoned(const fs::path& unfinished) {
  int descriptor = open_file(unfinished, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return errno == ENOENT;
  struct stat opened, named;
  const bool is_free =
      ::fstat(descriptor, &opened) == 0 && S_ISREG(opened.st_mode) && ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  // Its writer may have renamed it since, and another writer may have created a new one.
  const bool is_same = is_free && ::lstat(unfinished.c_str(), &named) == 0 && named.st_ino == opened.st_ino;
  const bool removed = is_free && (!is_same || ::unlink(unfinished.c_str()) == 0);
  close_file(descriptor);
  return removed;
}

// Creates and locks the first free name.
int open_unfinished(const fs::path& target, fs::path& name) {
  for (int number = 0;;) {
    name = unfinished_name(target, number);
    int descriptor = open_file(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    if (descriptor < 0 && errno != EEXIST) return descriptor;
    if (descriptor < 0) {
      if (!remove_abandoned(name)) ++number;
      continue;
    }
    ::flock(descriptor, LOCK_EX | LOCK_NB);
    struct stat status;
    if (::fstat(descriptor, &status) != 0 || status.st_nlink > 0) return descriptor;
    close_file(descriptor);  // it was removed before it was locked; try again
  }
}

}  // namespace

std::string why_no_file(const fs::path& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0)
    return S_ISREG(status.st_mode) ? "" : str("is ", kind_of(status.st_mode), ", not a file");
  const int reason = errno;
  std::error_code ignored;
  if (reason == ENOENT || reason == ENOTDIR)
    return fs::is_symlink(path, ignored) ? "is a link to nothing" : "no such file";
  if (reason != EACCES && reason != ENAMETOOLONG && reason != ELOOP) fail_on(path, "cannot be read", reason);
  return str("cannot be read: ", std::strerror(reason));
}

// ---- reading ----

InputFile::InputFile(const fs::path& path) : path_(path), descriptor_(open_file(path, O_RDONLY | O_NONBLOCK)) {
  if (descriptor_ < 0) {
    const int reason = errno;
    if (is_about_the_name(reason)) throw DataError(str(path.string(), ": cannot be opened: ", std::strerror(reason)));
    fail_on(path, "cannot be opened", reason);
  }
  struct stat status;
  const int reason = ::fstat(descriptor_, &status) == 0 ? 0 : errno;
  if (reason != 0 || !S_ISREG(status.st_mode)) close_file(descriptor_);
  if (reason != 0) fail_on(path, "cannot be measured", reason);
  if (!S_ISREG(status.st_mode)) throw DataError(str(path.string(), ": is ", kind_of(status.st_mode), ", not a file"));
  size_ = static_cast<uint64_t>(status.st_size);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close_file(descriptor_);
}

void InputFile::read(void* data, uint64_t bytes, uint64_t offset) const {
  auto* out = static_cast<char*>(data);
  while (bytes > 0) {
    const ssize_t got = retried(
        [&] { return ::pread(descriptor_, out, std::min<uint64_t>(bytes, kMaxAtOnce), static_cast<off_t>(offset)); });
    if (got < 0) fail_on(path_, "cannot be read", errno);
    if (got == 0) throw DataError(str(path_.string(), ": ends at byte ", offset, " while it is read"));
    out += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<uint64_t>(got);
  }
}

uint64_t InputFile::hash(uint64_t offset, uint64_t bytes, std::string_view before) const {
  constexpr uint64_t kBlock = 1 << 18;
  std::vector<char> block(std::min(bytes, kBlock));
  Hash hash;
  hash.add(before.data(), before.size());
  while (bytes > 0) {
    const uint64_t count = std::min(bytes, kBlock);
    read(block.data(), count, offset);
    hash.add(block.data(), count);
    offset += count;
    bytes -= count;
  }
  return hash.value();
}

Hash::Hash() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_64bits_reset(state_);
}
Hash::~Hash() { XXH3_freeState(state_); }
void Hash::add(const void* data, size_t bytes) { XXH3_64bits_update(state_, data, bytes); }
uint64_t Hash::value() const { return XXH3_64bits_digest(state_); }

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    if (lines.back().ends_with('\r')) lines.back().pop_back();
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string read_text(const fs::path& path) {
  const InputFile file(path);
  if (file.size() > kMaxAtOnce)
    throw DataError(str(path.string(), ": has ", file.size(), " bytes, at most ", kMaxAtOnce, " are read as text"));
  std::string text(file.size(), '\0');
  file.read(text.data(), text.size(), 0);
  return text;
}

std::string hex(uint64_t hash) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text(16, '0');
  for (size_t i = text.size(); i-- > 0; hash >>= 4) text[i] = digits[hash & 15];
  return text;
}

std::string file_hash(const fs::path& path) {
  const InputFile file(path);
  return hex(file.hash(0, file.size()));
}

// ---- writing ----

OutputFile::OutputFile(const fs::path& path) : path_(path) {
  const Place place = place_of(path);
  target_ = place.path;
  struct stat status;
  const bool is_there = ::stat(target_.c_str(), &status) == 0;
  if (place.opened || (is_there && (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode)))) {
    descriptor_ = open_stream(place);
    if (descriptor_ < 0) fail(errno);
    return;
  }
  if (is_there && !S_ISREG(status.st_mode))
    throw UsageError(str(path.string(), ": cannot be written: it is a ",
                         S_ISDIR(status.st_mode) ? "folder" : "block device or a socket"));
  descriptor_ = open_unfinished(target_, unfinished_);
  if (descriptor_ < 0) {
    const int reason = errno;
    unfinished_.clear();
    fail(reason);
  }
}

OutputFile::~OutputFile() {
  if (!unfinished_.empty()) ::unlink(unfinished_.c_str());  // before unlocking: then another writer may own the name
  for (int* const descriptor : {&descriptor_, &lock_})
    if (*descriptor >= 0) close_file(*descriptor);
}

void OutputFile::fail(int reason) const {
  struct stat status;
  const bool has_old = ::stat(target_.c_str(), &status) == 0 && S_ISREG(status.st_mode);
  throw SystemError(str(path_.string(), ": cannot be written: ", std::strerror(reason),
                        has_old ? " (the old file is untouched)" : ""));
}

void OutputFile::write(ByteView bytes) {
  if (!write_all(descriptor_, bytes)) fail(errno);
}

void OutputFile::flush() {
  if (!unfinished_.empty() && !flush_file(descriptor_)) fail(errno);
}

void OutputFile::commit() {
  flush();
  if (!unfinished_.empty())
    lock_ = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);  // close() may report an error, but must not release the lock
  if (!close_file(descriptor_)) fail(errno);
  if (unfinished_.empty()) return;
  if (retried([&] { return ::rename(unfinished_.c_str(), target_.c_str()); }) != 0) fail(errno);
  unfinished_.clear();
  try {
    flush_folder(parent_of(target_));
  } catch (SystemError& error) {
    throw SystemError(str(path_.string(), ": is written and may be lost when the power fails: ", error.what()));
  }
}

void write_file(const fs::path& path, std::span<const ByteView> parts) {
  OutputFile file(path);
  for (const ByteView part : parts) file.write(part);
  file.commit();
}

void write_text(const fs::path& path, std::string_view text) {
  const ByteView bytes = std::as_bytes(std::span(text));
  write_file(path, std::span(&bytes, 1));
}

AppendedFile::AppendedFile(const fs::path& path)
    : path_(path), descriptor_(open_file(path, O_WRONLY | O_CREAT | O_APPEND)) {
  if (descriptor_ < 0) fail_on(path, "cannot be written", errno);
}

AppendedFile::~AppendedFile() {
  if (descriptor_ >= 0) close_file(descriptor_);
}

void AppendedFile::write(std::string_view text) {
  if (!write_all(descriptor_, std::as_bytes(std::span(text)))) fail_on(path_, "cannot be written", errno);
}

void AppendedFile::flush() {
  if (!flush_file(descriptor_)) fail_on(path_, "cannot be flushed to disk", errno);
}

void make_folders(const fs::path& folder) {
  std::error_code ignored;
  if (folder.empty() || fs::is_directory(folder, ignored)) return;
  const fs::path parent = parent_of(folder);
  make_folders(parent);
  if (retried([&] { return ::mkdir(folder.c_str(), 0777); }) != 0) {
    const int reason = errno;
    if (reason == EEXIST && fs::is_directory(folder, ignored)) return;
    fail_on(folder, "this folder cannot be made", reason);
  }
  flush_folder(parent);
}

FolderLock::FolderLock(const fs::path& folder) {
  const fs::path path = folder / ".lock";
  descriptor_ = open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (descriptor_ < 0) fail_on(path, "cannot be written", errno);
  if (retried([&] { return ::flock(descriptor_, LOCK_EX | LOCK_NB); }) == 0) return;
  const int reason = errno;
  close_file(descriptor_);
  if (reason == EWOULDBLOCK) throw SystemError(str(folder.string(), ": another process is working in this folder"));
  fail_on(path, "cannot be locked", reason);
}

FolderLock::~FolderLock() { close_file(descriptor_); }

// ---- removing ----

void remove_file(const fs::path& file) {
  if (retried([&] { return ::unlink(file.c_str()); }) == 0) return flush_folder(parent_of(file));
  if (errno != ENOENT) fail_on(file, "cannot be removed", errno);
}

void remove_files(const fs::path& folder, const std::function<bool(const std::string& name)>& is_own) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    const fs::path path = it->path();
    std::error_code ignored;
    if (!fs::is_regular_file(fs::symlink_status(path, ignored)) || !is_own(path.filename().string())) continue;
    if (retried([&] { return ::unlink(path.c_str()); }) != 0 && errno != ENOENT)
      fail_on(path, "cannot be removed", errno);
  }
  if (error && error != std::errc::no_such_file_or_directory) fail_on(folder, "cannot be read", error.value());
}

void remove_empty_folder(const fs::path& folder) {
  if (retried([&] { return ::rmdir(folder.c_str()); }) != 0 && errno != ENOTEMPTY && errno != ENOENT)
    fail_on(folder, "cannot be removed", errno);
}

bool is_unfinished(std::string_view name, std::string_view target) {
  if (!name.starts_with('.') || !name.ends_with(kUnfinished)) return false;
  name = name.substr(1, name.size() - 1 - kUnfinished.size());
  const size_t number = name.rfind('.');
  if (number == std::string_view::npos || name.find_first_not_of("0123456789-", number + 1) != std::string_view::npos)
    return false;
  return target.empty() || name.substr(0, number) == target.substr(0, 200);
}

void remove_unfinished(const fs::path& file) {
  const std::string target = file.filename().string();
  remove_files(parent_of(file), [&](const std::string& name) { return is_unfinished(name, target); });
}

}  // namespace avs
