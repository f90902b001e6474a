#include "models/data/loader.h"

#include <algorithm>
#include <numeric>
#include <system_error>

#include "tensor/error.h"

namespace avs::data {

Loader::Loader(const Dataset& dataset, LoaderOptions options) : dataset_(dataset), options_(options) {
  if (options.batch < 1) throw UsageError(str("the batch must hold at least 1 sample, got ", options.batch));
  if (options.workers < 0 || options.workers > 1024)
    throw UsageError(str("loader workers must be 0 to 1024, got ", options.workers));
  if (options.ahead < 1) throw UsageError(str("at least 1 batch must be made ahead, got ", options.ahead));
  try {
    for (int i = 0; i < options.workers; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error&) {
  }  // no more threads to be had: those there are do it, or next() itself
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_there_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

int64_t Loader::batches_per_epoch() const {
  const int64_t samples = dataset_.size(), full = samples / options_.batch;
  if (samples % options_.batch == 0) return full;
  return options_.last == LastBatch::Drop && full > 0 ? full : full + 1;
}

void Loader::start_epoch(int64_t epoch, int64_t first_batch) {
  AVS_CHECK(UsageError, epoch >= 0 && first_batch >= 0 && first_batch <= batches_per_epoch(), "no batch ", first_batch,
            " in epoch ", epoch, " of ", batches_per_epoch(), " batches");
  {
    const std::lock_guard lock(mutex_);
    slots_.clear();  // a worker still busy with one finishes it for nobody
    wanted_.clear();
    epoch_ = epoch;
    next_batch_ = next_made_ = first_batch;
    order_ = std::make_shared<const std::vector<int64_t>>(order_of(epoch));
    fill_slots();
  }
  work_there_.notify_all();
}

std::optional<Batch> Loader::next() {
  AVS_CHECK(UsageError, epoch_ >= 0, "Loader::next() before start_epoch()");
  if (next_batch_ == batches_per_epoch()) return std::nullopt;
  if (workers_.empty()) return make(epoch_, next_batch_++, *order_);
  std::shared_ptr<Slot> slot;
  {
    std::unique_lock lock(mutex_);
    slot = slots_.front();
    batch_ready_.wait(lock, [&] { return slot->is_ready; });
    slots_.pop_front();
    ++next_batch_;
    fill_slots();
  }
  work_there_.notify_all();
  if (slot->error) std::rethrow_exception(slot->error);
  return std::move(slot->content);
}

void Loader::fill_slots() {
  const auto most = static_cast<size_t>(options_.ahead + options_.workers);
  for (; !workers_.empty() && slots_.size() < most && next_made_ < batches_per_epoch(); ++next_made_) {
    slots_.push_back(std::make_shared<Slot>(Slot{epoch_, next_made_, false, {}, nullptr}));
    wanted_.push_back(slots_.back());
  }
}

void Loader::work() {
  for (;;) {
    std::shared_ptr<Slot> slot;
    std::shared_ptr<const std::vector<int64_t>> order;
    {
      std::unique_lock lock(mutex_);
      work_there_.wait(lock, [&] { return stopping_ || !wanted_.empty(); });
      if (stopping_) return;
      slot = wanted_.front();
      wanted_.pop_front();
      order = order_;
    }
    Batch content;
    std::exception_ptr error;
    try {
      content = make(slot->epoch, slot->batch, *order);
    } catch (...) {
      error = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      slot->content = std::move(content);
      slot->error = error;
      slot->is_ready = true;
    }
    batch_ready_.notify_all();
  }
}

std::vector<int64_t> Loader::order_of(int64_t epoch) const {
  std::vector<int64_t> order(static_cast<size_t>(dataset_.size()));
  std::iota(order.begin(), order.end(), 0);
  if (options_.order == Order::Shuffled) {
    Rng rng = Rng(options_.seed).fork("order", static_cast<uint64_t>(epoch));
    rng.shuffle(order);
  }
  return order;
}

Batch Loader::make(int64_t epoch, int64_t batch, const std::vector<int64_t>& order) const {
  const int64_t first = batch * options_.batch;
  const int64_t n = std::min(options_.batch, static_cast<int64_t>(order.size()) - first);
  Batch made;
  const bool pictures = options_.pixels == Pixels::PicturesWherePossible && dataset_.holds_pictures();
  const bool bytes = options_.pixels != Pixels::Floats && dataset_.holds_bytes();
  const Shape sample = pictures ? dataset_.picture_shape() : dataset_.sample_shape();
  std::vector<int64_t> extents = sample.extents();
  extents.insert(extents.begin(), n);
  made.inputs = Tensor::empty(Shape(std::span<const int64_t>(extents)), bytes || pictures ? DType::U8 : DType::F32);
  if (pictures) made.resized = {Tensor::empty({n, 5}), dataset_.sample_shape()[0], dataset_.sample_shape()[1]};
  made.targets = Tensor::zeros({n, dataset_.class_count()});
  const Rng of_epoch = Rng(options_.seed).fork("samples", static_cast<uint64_t>(epoch));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t index = order[static_cast<size_t>(first + i)];
    const Rng rng = of_epoch.fork("sample", static_cast<uint64_t>(index));
    const auto count = static_cast<size_t>(sample.size());
    if (pictures) {
      const auto [box, mirrored] =
          dataset_.read_picture(index, rng, {made.inputs.data<uint8_t>() + i * sample.size(), count});
      const double values[] = {box.x, box.y, box.width, box.height, mirrored ? 1.0 : 0.0};
      std::ranges::transform(values, made.resized.boxes.data<float>() + 5 * i,
                             [](double value) { return static_cast<float>(value); });
    } else if (bytes)
      dataset_.read_bytes(index, rng, {made.inputs.data<uint8_t>() + i * sample.size(), count});
    else
      dataset_.read(index, rng, {made.inputs.data<float>() + i * sample.size(), count});
    made.targets.data<float>()[i * dataset_.class_count() + dataset_.label(index)] = 1;
    made.clips.push_back(dataset_.clip(index));
  }
  return made;
}

}  // namespace avs::data
