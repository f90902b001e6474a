#include "tests/faults/harness/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "tensor/error.h"

namespace avs::faults {
namespace {

namespace fs = std::filesystem;

constexpr double kMaxSeconds = 60;  // a trial takes well under one second

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

std::vector<std::string> environment_of(const Workplace& place, const Injection& fault) {
  std::vector<std::string> lines;
  for (char** line = environ; *line != nullptr; ++line) lines.emplace_back(*line);
  lines.push_back("LD_PRELOAD=" AVS_FAULT_SHIM);
  lines.push_back(str(kFaultVariable, "=", static_cast<int>(fault.operation), " ", static_cast<int>(fault.action), " ",
                      fault.value, " ", fault.number));
  lines.push_back(str(kFolderVariable, "=", place.folder.string()));
  lines.push_back(str(kLogVariable, "=", (place.aside / "log").string()));
  return lines;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Runs in the child between fork and exec: must not allocate.
[[noreturn]] void become(const char* folder, const char* out, const char* err, char** words, char** environment) {
  const rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::dup2(::open("/dev/null", O_RDONLY), 0);
  ::dup2(::open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
  ::dup2(::open(err, O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
  if (::chdir(folder) == 0) ::execve(words[0], words, environment);
  ::_exit(127);
}

void wait_for(pid_t process, Ending& ending, const std::function<void()>& meanwhile) {
  const auto start = std::chrono::steady_clock::now();
  int status = 0;
  while (true) {
    const pid_t changed = ::waitpid(process, &status, WNOHANG | WUNTRACED);
    if (changed == process && !WIFSTOPPED(status)) break;
    if (changed == process) {
      if (meanwhile) meanwhile();
      ::kill(process, SIGCONT);
    }
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > kMaxSeconds) {
      ending.timed_out = true;
      ::kill(process, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (WIFEXITED(status)) ending.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
}

}  // namespace

std::optional<std::string> Ending::logged(const std::string& kind) const {
  for (const std::string& line : log)
    if (line.starts_with(kind + " ")) return line.substr(kind.size() + 1);
  return std::nullopt;
}

Ending run(const Workplace& place, const std::string& command, const std::optional<Injection>& injection,
           const std::function<void()>& meanwhile) {
  std::vector<std::string> words = words_of(command), lines;
  words[0] = str(AVS_BIN_DIR, "/", words[0]);
  std::vector<char*> environment;
  if (injection) {
    lines = environment_of(place, *injection);
    environment = pointers_to(lines);
  }
  const std::vector<char*> arguments = pointers_to(words);
  static std::atomic<int> runs = 0;  // each run has its own output files
  const std::string stem = str(++runs);
  const fs::path out = place.aside / (stem + ".out"), err = place.aside / (stem + ".err"), log = place.aside / "log";
  if (injection) fs::remove(log);
  const pid_t process = ::fork();
  if (process == 0)
    become(place.folder.c_str(), out.c_str(), err.c_str(), const_cast<char**>(arguments.data()),
           injection ? environment.data() : environ);
  if (process < 0) throw Error("no process can be started");
  Ending ending;
  wait_for(process, ending, meanwhile);
  ending.out = text_of(out);
  ending.err = text_of(err);
  if (injection) {
    std::istringstream in(text_of(log));
    for (std::string line; std::getline(in, line);) ending.log.push_back(line);
  }
  fs::remove(out);
  fs::remove(err);
  return ending;
}

}  // namespace avs::faults
