#include "apps/cli/program.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

#include "autograd/interrupt.h"
#include "models/file.h"
#include "tensor/error.h"
#include "tensor/version.h"
#include "vision/container.h"

namespace avs {
namespace {

constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2;

std::string footer_of(const std::string& examples) {
  std::string text = "\nExamples:\n";
  for (const std::string& line : lines_of(examples)) text += "  " + line + "\n";
  return text + "\nExit codes: 0 done, 1 failed, 2 wrong usage.";
}

// Checked before CLI11 opens the file, because opening a named pipe would block.
std::string problem_with_config(const std::string& file) {
  const std::string reason = why_no_file(file);
  return reason.empty() ? reason : file + ": " + reason;
}

// A destructor of nlohmann's JSON allocates, and no exception can leave it. Allocates nothing itself.
std::string out_of_memory_line;
[[noreturn]] void end_when_memory_is_refused() {
  try {
    if (const std::exception_ptr reason = std::current_exception()) std::rethrow_exception(reason);
  } catch (const std::bad_alloc&) {
    if (::write(STDERR_FILENO, out_of_memory_line.data(), out_of_memory_line.size()) >= 0) ::_exit(kFailed);
  } catch (...) {
  }
  std::abort();
}

}  // namespace

std::string library_versions() { return engine_version() + ", " + media_versions(); }

Program::Program(const std::string& name, const std::string& description, const std::string& examples)
    : name_(name), flags_(description, name) {
  open_standard_streams();
  log_to_stderr();
  out_of_memory_line = name + ": out of memory\n";
  std::set_terminate(end_when_memory_is_refused);
  CLI::App& app = flags_.app();
  app.footer(footer_of(examples));
  app.set_version_flag("--version", library_versions);
  app.set_config("--config", "", "a TOML file with the same names as the flags; flags win")
      ->check(CLI::Validator(problem_with_config, ""));
  app.allow_config_extras(CLI::config_extras_mode::error);
}

int Program::complain(const std::string& message, int code) const {
  std::cout.flush();  // print results before the error
  say(name_ + ": " + message);
  return code;
}

int Program::finished() const {
  std::cout.flush();
  return std::cout ? kDone : complain("standard output cannot be written", kFailed);
}

int Program::run(int argc, char** argv, const std::function<void()>& body, const std::string& after_interrupt) {
  try {
    flags_.parse(argc, argv);
    body();
    return finished();
  } catch (const CLI::Success& wanted) {  // --help, --version
    flags_.app().exit(wanted);
    return finished();
  } catch (const CLI::ParseError& error) {
    return complain(std::string(error.what()) + " (see " + name_ + " --help)", kWrongUsage);
  } catch (const UsageError& error) {
    return complain(error.what(), kWrongUsage);
  } catch (const Interrupted& error) {
    return complain(after_interrupt.empty() ? error.what() : str(error.what(), "; ", after_interrupt), kFailed);
  } catch (const std::bad_alloc&) {
    const bool has_batch = flags_.app().get_option_no_throw("--batch") != nullptr;
    return complain(has_batch ? "out of memory: a smaller --batch needs less" : "out of memory", kFailed);
  } catch (const std::exception& error) {
    return complain(error.what(), kFailed);
  }
}

}  // namespace avs
