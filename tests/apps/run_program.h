// Runs one of our programs through the shell and captures its output.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace avs {

struct ProgramResult {
  int exit_code = -1;
  std::string out, err;
};

// arguments: shell words, quoted as needed. environment: "NAME=value NAME=value".
inline ProgramResult run_program(const std::string& name, const std::string& arguments,
                                 const std::string& environment = {}) {
  const std::filesystem::path err_file =
      std::filesystem::temp_directory_path() / ("avs-stderr-" + std::to_string(getpid()));
  const std::string command =
      environment + " " + AVS_BIN_DIR + "/" + name + " " + arguments + " 2>" + err_file.string();
  ProgramResult result;
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return result;
  char buffer[4096];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) result.out.append(buffer, n);
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::ifstream in(err_file);
  result.err.assign(std::istreambuf_iterator<char>(in), {});
  in.close();
  std::filesystem::remove(err_file);
  return result;
}

}  // namespace avs
