// Copies that run concurrently with the host or with the device's kernels (contract: api.h).
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "cuda/api.h"
#include "cuda/staging.h"
#include "tensor/no_copy.h"
#include "tensor/tensor.h"

namespace avs::cuda {
namespace {

class PinnedReadBack final : public ReadBack {
 public:
  PinnedReadBack(Device device, size_t bytes, int slots) : device_(device), bytes_(bytes) {
    for (int i = 0; i < slots; ++i) slots_.push_back(std::make_unique<Slot>(bytes));
  }

  ~PinnedReadBack() override { cudaStreamSynchronize(stream(device_)); }  // the device may still write into the slots

  void start(const Tensor& from) override {
    AVS_CHECK(UsageError, from.bytes() == bytes_ && from.device() == device_, "a read-back of ", bytes_, " bytes on ",
              device_, " got ", from.bytes(), " on ", from.device());
    AVS_CHECK(UsageError, started_ - asked_ < slots_.size(), "all ", slots_.size(),
              " read-backs are under way already");
    Slot& slot = *slots_[started_++ % slots_.size()];
    check(cudaMemcpyAsync(slot.memory.data(), from.raw(), bytes_, cudaMemcpyDeviceToHost, stream(device_)),
          "copying from the device");
    slot.arrived.record(stream(device_));
  }

  std::span<const std::byte> oldest() override {
    AVS_CHECK(UsageError, asked_ < started_, "no read-back is under way");
    Slot& slot = *slots_[asked_++ % slots_.size()];
    slot.arrived.wait();
    return {slot.memory.data(), bytes_};
  }

 private:
  struct Slot {
    explicit Slot(size_t bytes) : memory(bytes) {}
    PinnedMemory memory;
    Event arrived;
  };
  const Device device_;
  const size_t bytes_;
  std::vector<std::unique_ptr<Slot>> slots_;
  size_t started_ = 0, asked_ = 0;
};

class StreamedUpload final : public Upload, NoCopy {
 public:
  StreamedUpload(Device device, size_t bytes) : device_(device), bytes_(bytes) {
    check(cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    for (auto& buffer : buffers_) {
      buffer = std::make_unique<Buffer>(bytes, device);
      buffer->read.record(stream(device));  // earlier users of this memory have finished by this event
    }
  }
  ~StreamedUpload() override {
    cudaStreamSynchronize(copies_);  // a copy may still read pinned memory
    cudaStreamDestroy(copies_);
  }

  void send(const Tensor& from, Tensor& to) override {
    AVS_CHECK(UsageError,
              from.bytes() == bytes_ && to.bytes() == bytes_ && !from.device().is_cuda() && to.device() == device_,
              "an upload of ", bytes_, " bytes to ", device_, " got ", from.bytes(), " on ", from.device(), " and ",
              to.bytes(), " on ", to.device());
    const cudaStream_t compute = stream(device_);
    Buffer& buffer = *buffers_[sent_++ % buffers_.size()];
    buffer.arrived.wait();  // the batch before the last has arrived: its pinned memory is free again
    std::memcpy(buffer.pinned.data(), from.raw(), bytes_);
    buffer.read.hold_back(copies_);
    check(cudaMemcpyAsync(buffer.on_device.raw(), buffer.pinned.data(), bytes_, cudaMemcpyHostToDevice, copies_),
          "copying to the device");
    buffer.arrived.record(copies_);
    buffer.arrived.hold_back(compute);
    avs::context(device_).copy_on_device(to.raw(), buffer.on_device.raw(), bytes_);
    buffer.read.record(compute);
  }

 private:
  struct Buffer {
    Buffer(size_t bytes, Device device)
        : pinned(bytes), on_device(Tensor::empty({static_cast<int64_t>(bytes)}, DType::U8, device)) {}
    PinnedMemory pinned;
    Tensor on_device;  // the copy stream writes here while the compute stream reads the other buffer
    Event arrived, read;
  };
  const Device device_;
  const size_t bytes_;
  cudaStream_t copies_ = nullptr;
  std::array<std::unique_ptr<Buffer>, 2> buffers_;
  size_t sent_ = 0;
};

}  // namespace

std::unique_ptr<Upload> upload(Device device, size_t bytes) { return std::make_unique<StreamedUpload>(device, bytes); }

std::unique_ptr<ReadBack> read_back(Device device, size_t bytes, int slots) {
  return std::make_unique<PinnedReadBack>(device, bytes, slots);
}

}  // namespace avs::cuda
