// careless KIND: writes out.json and breaks one promise per KIND, to test the harness.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

const std::string kText = "{\"answer\": [1, 2, 3, 4, 5, 6, 7, 8]}\n";

int refuse(const char* words) {
  std::fprintf(stderr, "careless: %s: %s\n", words, std::strerror(errno));
  return 1;
}

// Writes a temporary file, flushes and renames it, correctly unless `kind` says otherwise.
int write_carefully(const std::string& kind) {
  const bool retries = kind != "impatient";
  int file = -1;
  do file = ::open("out.json.part", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  while (file < 0 && errno == EINTR && retries);
  if (file < 0) return kind == "silent" ? 1 : refuse(kind == "vague" ? "something failed" : "out.json");
  for (size_t done = 0; done < kText.size();) {
    const ssize_t written = ::write(file, kText.data() + done, kText.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && kind == "deaf") break;
    if (written < 0) return refuse("out.json");
    done += static_cast<size_t>(written);
    if (kind == "short") break;
  }
  if (kind != "unflushed" && ::fsync(file) != 0 && errno != EINTR) return refuse("out.json");
  if (::close(file) != 0 && errno != EINTR) return refuse("out.json");
  if (::rename("out.json.part", "out.json") != 0) return refuse("out.json");
  return 0;
}

int write_in_place() {
  const int file = ::open("out.json", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || ::write(file, kText.data(), kText.size()) < 0) return refuse("out.json");
  return ::close(file);
}

}  // namespace

int main(int count, char** words) {
  const std::string kind = count > 1 ? words[1] : "";
  if (kind == "in-place") return write_in_place();
  if (kind == "greedy") ::unlink("mine.txt");
  if (kind == "crashing") {
    auto* const memory = static_cast<volatile char*>(std::malloc(100000));
    *memory = 1;
  }
  if (kind == "untidy") {
    const std::string name = "out." + std::to_string(::getpid());
    ::close(::open(name.c_str(), O_WRONLY | O_CREAT, 0644));
    const int result = write_carefully(kind);
    ::unlink(name.c_str());
    return result;
  }
  return write_carefully(kind);
}
