#include "models/weights/bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "tensor/no_copy.h"

namespace avs::weights {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{16} << 30;

class OpenFile : NoCopy {
 public:
  explicit OpenFile(const std::filesystem::path& file) : path_(file.string()) {
    // Non-blocking: a named pipe must be refused below, not waited for.
    do handle_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (handle_ < 0 && errno == EINTR);
    if (handle_ < 0) fail("cannot be opened");
  }
  ~OpenFile() { ::close(handle_); }

  uint64_t size() const {
    struct stat status {};
    if (::fstat(handle_, &status) != 0) fail("cannot be read");
    if (!S_ISREG(status.st_mode))
      throw DataError(path_ +
                      (S_ISDIR(status.st_mode) ? ": is a folder, not a weight file" : ": is not a regular file"));
    return static_cast<uint64_t>(status.st_size);
  }
  uint64_t read(uint8_t* out, uint64_t count) {
    uint64_t done = 0;
    while (done < count) {
      const ssize_t got = ::read(handle_, out + done, std::min<uint64_t>(count - done, 1u << 30));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("cannot be read");
      if (got == 0) break;
      done += static_cast<uint64_t>(got);
    }
    return done;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw DataError(path_ + ": " + what + ": " + std::generic_category().message(errno));
  }
  std::string path_;
  int handle_;
};

}  // namespace

Bytes read_file(const std::filesystem::path& file) {
  OpenFile open(file);
  const uint64_t size = open.size();
  if (size > kMaxBytes) throw DataError(str(file.string(), ": ", size, " bytes are more than a weight file has"));
  const std::shared_ptr<uint8_t[]> memory(new uint8_t[size + 1]);
  const uint64_t read = open.read(memory.get(), size);
  if (read != size) throw DataError(file.string() + ": became shorter while it was read");
  return {memory, {memory.get(), read}, file.string()};
}

std::string read_start(const std::filesystem::path& file, uint64_t count) {
  OpenFile open(file);
  std::string start(std::min(count, open.size()), '\0');
  start.resize(open.read(reinterpret_cast<uint8_t*>(start.data()), start.size()));
  return start;
}

}  // namespace avs::weights
