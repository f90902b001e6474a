#include "apps/cli/output.h"

#include <fcntl.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>

#include "models/printable.h"

namespace avs {
namespace {

class PeopleSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    say({message.payload.data(), message.payload.size()});
  }
  void flush_() override { std::fflush(stderr); }
};

// Passes whole lines, or all pending text at a flush, so that UTF-8 characters are not split.
class PrintableBuffer final : public std::streambuf {
 public:
  explicit PrintableBuffer(std::streambuf* to) : to_(to) {}

 protected:
  int_type overflow(int_type c) override {
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    const char one = traits_type::to_char_type(c);
    return xsputn(&one, 1) == 1 ? c : traits_type::eof();
  }
  std::streamsize xsputn(const char* text, std::streamsize count) override {
    pending_.append(text, static_cast<size_t>(count));
    if (pending_.size() < kMost) return count;
    const size_t line_end = pending_.rfind('\n');
    return line_end == std::string::npos || pass(line_end + 1) ? count : 0;
  }
  int sync() override { return pass(pending_.size()) && to_->pubsync() == 0 ? 0 : -1; }

 private:
  static constexpr size_t kMost = 1 << 16;

  bool pass(size_t bytes) {
    const std::string safe = printable_lines(std::string_view(pending_).substr(0, bytes));
    pending_.erase(0, bytes);
    return to_->sputn(safe.data(), static_cast<std::streamsize>(safe.size())) ==
           static_cast<std::streamsize>(safe.size());
  }

  std::streambuf* to_;
  std::string pending_;
};

}  // namespace

void open_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // open() returns the lowest free number, which is this one.
    [[maybe_unused]] const int opened = ::open("/dev/null", descriptor == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

void say(std::string_view message) { std::fputs((message_for_people(message) + "\n").c_str(), stderr); }

void log_to_stderr() {
  auto logger = spdlog::get("avscene");
  if (logger == nullptr) {
    logger = std::make_shared<spdlog::logger>("avscene", std::make_shared<PeopleSink>());
    spdlog::register_logger(logger);
  }
  spdlog::set_default_logger(logger);
}

PrintableStdout::PrintableStdout()
    : before_(std::cout.rdbuf()), filter_(std::make_unique<PrintableBuffer>(std::cout.rdbuf())) {
  std::cout.rdbuf(filter_.get());
}

PrintableStdout::~PrintableStdout() {
  std::cout.flush();
  std::cout.rdbuf(before_);
}

}  // namespace avs
