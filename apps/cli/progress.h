// Progress of a long loop on stderr: on a terminal a bar with rate and remaining time, otherwise a plain line every ten
// seconds. Thread-safe.
//
//   Progress progress(clips.size(), "preparing");
//   for (...) { work(); progress.advance(); }
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "tensor/no_copy.h"

namespace avs {

class Progress : NoCopy {
 public:
  Progress(int64_t total, const std::string& what);
  ~Progress();  // clears the bar; without a terminal, writes the last line if any was written

  void advance(int64_t steps = 1);
  void set_note(const std::string& note);  // text after the bar: "loss 0.412"

  // Writes a line above the bar.
  void print(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void draw();  // needs mutex_
  void clear();
  std::string text(double elapsed_seconds) const;

  int64_t total_, done_ = 0;
  std::string what_, note_;
  const bool on_terminal_;
  bool drawn_ = false;
  const Clock::time_point start_;
  Clock::time_point next_draw_;
  std::mutex mutex_;
};

std::string as_clock(double seconds);  // "0:07", "12:30", "3:05:00"

}  // namespace avs
