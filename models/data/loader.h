// Batches, made ahead of time by worker threads.
//
// The order of an epoch depends on (seed, epoch) only and each sample's random choices on (seed, epoch, index) only, so
// batches are the same for any number of workers, and training that stops after batch b of epoch e continues from
// start_epoch(e, b) with the same bits.
//
//   Loader loader(dataset, {.batch = 32, .order = Order::Shuffled, .seed = 7});
//   for (int64_t epoch = 0; epoch < epochs; ++epoch) {
//     loader.start_epoch(epoch);
//     while (const std::optional<Batch> batch = loader.next()) train_step(*batch);
//   }
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "models/data/dataset.h"
#include "models/samples.h"
#include "tensor/no_copy.h"

namespace avs::data {

struct Batch {
  Samples samples;
  Tensor targets;              // f32 [n, classes], one-hot
  std::vector<int64_t> clips;  // n ids in Cache::clips()
};

enum class Order : uint8_t { Sequential, Shuffled };
// Frames leave the loader as floats of the network's size or, for a GPU, as the bytes that the cache holds, with boxes
// where the network resizes them. The values are the same, to rounding where a GPU resizes.
enum class Pixels : uint8_t { Floats, AsStored };
enum class LastBatch : uint8_t { Keep, Drop };  // when it is not full; never dropped if it is the only one

struct LoaderOptions {
  int64_t batch = 32;
  Order order = Order::Sequential;
  LastBatch last = LastBatch::Keep;
  Pixels pixels = Pixels::Floats;
  int workers = 1;    // most threads beside the caller's; 0: batches are made by next() itself
  int64_t ahead = 2;  // batches kept ready: memory is (ahead + workers + 1) batches
  uint64_t seed = 0;
};

struct LoaderPosition {
  int64_t epoch = 0, batch = 0;  // the next batch that next() will give
};

class Loader : NoCopy {
 public:
  Loader(const Dataset& dataset,
         LoaderOptions options = {});  // the dataset must outlive it. UsageError: batch < 1, ...
  ~Loader();

  int64_t batches_per_epoch() const;
  // Drops what was made ahead and begins at the given batch. Call before the first next().
  void start_epoch(int64_t epoch, int64_t first_batch = 0);
  // nullopt: the epoch is over. Rethrows what a worker's Dataset threw, at the batch it belongs to.
  std::optional<Batch> next();
  LoaderPosition position() const { return {epoch_, next_batch_}; }

 private:
  struct Slot {  // one batch under way
    int64_t epoch, batch;
    bool is_ready = false;
    Batch content;
    std::exception_ptr error;
  };

  Batch make(int64_t epoch, int64_t batch, const std::vector<int64_t>& order) const;
  void work();
  void fill_slots();  // the caller holds mutex_
  std::vector<int64_t> order_of(int64_t epoch) const;

  const Dataset& dataset_;
  const LoaderOptions options_;
  int64_t epoch_ = -1, next_batch_ = 0, next_made_ = 0;
  std::shared_ptr<const std::vector<int64_t>> order_;  // epoch_'s

  mutable std::mutex mutex_;
  std::condition_variable work_there_, batch_ready_;
  std::deque<std::shared_ptr<Slot>> slots_;   // in batch order: the front is what next() waits for
  std::deque<std::shared_ptr<Slot>> wanted_;  // not begun yet
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace avs::data
