// Streams beside a device's compute stream, for tensor/lanes.h: lane 0 is the compute stream itself, the others share
// kSideStreams more. While a fork is open its thread's work goes to the stream of the lane that it has entered, and
// other threads' to the compute stream as ever.
#pragma once

#include <array>
#include <mutex>

#include "cuda/arena.h"
#include "cuda/staging.h"

namespace avs::cuda {

class SideStreams {
 public:
  explicit SideStreams(Arena& arena) : arena_(arena) {}

  bool fork(cudaStream_t compute);  // false: a fork is open, or AVS_SIDE_STREAMS=0
  void enter(int lane);
  void join();
  void abandon() noexcept;  // after an error: joins what can be joined

  // Of this thread: the side stream that it is on (null: the compute stream), and what the arena is told.
  cudaStream_t stream() const;
  int lane() const;

 private:
  static constexpr int kSideStreams = 3;  // InceptionV3's blocks have up to four branches
  struct Side {
    cudaStream_t stream = nullptr;
    Event done;
    bool used = false;  // since the fork
  };
  void close() noexcept;

  Arena& arena_;
  std::mutex mutex_;
  bool open_ = false;
  cudaStream_t compute_ = nullptr;
  std::unique_ptr<Event> forked_;
  std::array<std::unique_ptr<Side>, kSideStreams> sides_;  // made at the first fork
};

}  // namespace avs::cuda
