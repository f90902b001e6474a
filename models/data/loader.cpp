#include "models/data/loader.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <system_error>

#include "tensor/error.h"

namespace avs::data {
namespace {

template <typename T>
void mirror(T* frame, int64_t h, int64_t w) {
  for (T* row = frame; row != frame + h * w * 3; row += w * 3)
    for (int64_t x = 0; x < w / 2; ++x) std::swap_ranges(row + x * 3, row + x * 3 + 3, row + (w - 1 - x) * 3);
}

bool is_whole(const PictureBox& box, const Shape& frame, const Shape& wanted) {
  return frame == wanted && box.width == static_cast<float>(frame[1]) && box.height == static_cast<float>(frame[0]);
}

// The box of a frame as floats, on `wanted` pixels.
void show(const Sample& sample, const Shape& wanted, float* to) {
  const Shape& frame = sample.x.shape();
  if (is_whole(sample.box, frame, wanted)) {
    std::copy_n(sample.x.data<uint8_t>(), sample.x.size(), to);
    if (sample.box.mirrored != 0) mirror(to, frame[0], frame[1]);
    return;
  }
  const PictureBoxes boxes{to_tensor({sample.box}), wanted[0], wanted[1]};
  const Tensor y = ops::load_pictures(sample.x.reshape({1, frame[0], frame[1], 3}), boxes, {}, {});
  std::memcpy(to, y.raw(), y.bytes());
}

// Gathers the samples of a batch.
class Collector {
 public:
  Collector(int64_t n, const Shape& wanted, Pixels pixels) : n_(n), wanted_(wanted), pixels_(pixels) {}

  void add(const Sample& sample) {
    const bool is_frame = sample.x.dtype() == DType::U8, as_stored = is_frame && pixels_ == Pixels::AsStored;
    AVS_CHECK(ShapeError, is_frame || sample.x.shape() == wanted_, "the cache holds samples of ", sample.x.shape(),
              ", the network takes ", wanted_);
    if (!x_.defined())
      x_ = Tensor::empty(batch_of(as_stored ? sample.x.shape() : wanted_), as_stored ? DType::U8 : DType::F32);
    Tensor row = x_.rows(count_++, 1);
    if (as_stored) boxes_.push_back(sample.box);
    if (is_frame && !as_stored) return show(sample, wanted_, row.data<float>());
    row.copy_from(sample.x.reshape(row.shape()));
  }

  Samples take() {
    if (boxes_.empty()) return x_;
    const Shape frame{x_.shape()[1], x_.shape()[2], x_.shape()[3]};
    if (!std::ranges::all_of(boxes_, [&](const PictureBox& box) { return is_whole(box, frame, wanted_); }))
      return {x_, {to_tensor(boxes_), wanted_[0], wanted_[1]}};
    for (int64_t i = 0; i < n_; ++i)
      if (boxes_[static_cast<size_t>(i)].mirrored != 0) mirror(x_.rows(i, 1).data<uint8_t>(), frame[0], frame[1]);
    return x_;
  }

 private:
  Shape batch_of(const Shape& sample) const { return {n_, sample[0], sample[1], sample[2]}; }

  const int64_t n_;
  const Shape wanted_;
  const Pixels pixels_;
  Tensor x_;
  std::vector<PictureBox> boxes_;  // in frames as they are stored
  int64_t count_ = 0;
};

}  // namespace

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
  made.targets = Tensor::zeros({n, dataset_.class_count()});
  const Rng of_epoch = Rng(options_.seed).fork("samples", static_cast<uint64_t>(epoch));
  Collector collector(n, dataset_.sample_shape(), options_.pixels);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t index = order[static_cast<size_t>(first + i)];
    collector.add(dataset_.get(index, of_epoch.fork("sample", static_cast<uint64_t>(index))));
    made.targets.data<float>()[i * dataset_.class_count() + dataset_.label(index)] = 1;
    made.clips.push_back(dataset_.clip(index));
  }
  made.samples = collector.take();
  return made;
}

}  // namespace avs::data
