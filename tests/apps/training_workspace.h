// A small data set with its cache, made once per test program, and training commands for it.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "tests/apps/run_program.h"
#include "tests/models/data/small_data.h"

namespace avs::test {

// Two classes of twelve clips with sound and pictures (24 x 24 pixels), MEL spectrograms; a thirteenth clip without
// sound.
struct Workspace {
  Folder folder;
  std::string data = (folder / "data").string(), cache = (folder / "cache").string();

  Workspace() {
    for (int i = 0; i < 12; ++i)
      for (int c = 0; c < 2; ++c) write_clip(clip(c, i), 8 * c + i % 3, 1.1);
    write_clip(clip(1, 12), 9, 1.1, Holds::PictureOnly);
    data::prepare(small_options(data, cache));
  }
  fs::path clip(int c, int i) const { return fs::path(data) / (c == 0 ? "bus" : "tram") / str("clip", i, ".mp4"); }
  std::string path(const std::string& name) const { return (folder / name).string(); }
};

inline Workspace& workspace() {
  static Workspace shared;
  return shared;
}

// The cheapest backbones: an image network with few distinct shapes, and a sound network.
inline std::string visual_flags() {
  return str("--model vis-conv --width 0.125 --image-size 75 --batch 4 --lr 1e-3 --log-steps 2 --threads 1 --cache ",
             workspace().cache);
}
inline std::string sound_flags() {
  return str("--model aud-mel --width 0.0625 --batch 4 --lr 1e-3 --log-steps 2 --threads 1 --cache ",
             workspace().cache);
}

inline std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A program that runs beside the test.
class RunningProgram {
 public:
  RunningProgram(const std::string& name, const std::string& arguments, const std::string& log) {
    std::vector<std::string> words{std::string(AVS_BIN_DIR) + "/" + name};
    std::istringstream in(arguments);
    for (std::string word; in >> word;) words.push_back(word);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    process_ = ::fork();
    if (process_ != 0) return;
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::signal(SIGHUP, SIG_DFL);  // the tests' own environment may ignore it
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }

  void send(int signal) const { ::kill(process_, signal); }

  // The exit code, or 128 + the signal that ended the program.
  int wait() const {
    int status = 0;
    ::waitpid(process_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t process_ = -1;
};

inline double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline void sleep_seconds(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

}  // namespace avs::test
