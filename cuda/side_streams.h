// Streams beside a device's compute stream, for the branches of tensor/lanes.h: branch 0 uses the compute stream, the
// others share kSideStreams more. While a fork is open, the work of its thread goes to the stream of the branch that it
// entered; other threads keep using the compute stream.
#pragma once

#include <array>
#include <mutex>

#include "cuda/arena.h"
#include "cuda/staging.h"

namespace avs::cuda {

class SideStreams {
 public:
  explicit SideStreams(Arena& arena) : arena_(arena) {}

  bool fork(cudaStream_t compute);  // returns false if a fork is open or AVS_SIDE_STREAMS=0
  void enter(int lane);
  void join();
  void abandon() noexcept;  // after an error: joins as far as possible

  // For this thread: its side stream (null: the compute stream), and its branch for the arena.
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
