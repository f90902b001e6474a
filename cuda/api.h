// The interface of the CUDA backend for code outside cuda/. It has no CUDA types. A build without AVS_CUDA links
// disabled.cpp, in which every function throws a DeviceError of one line.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/context.h"
#include "tensor/device.h"

namespace avs {
class Tensor;
}

namespace avs::cuda {

bool available();               // this build has CUDA, and there is a driver and at least one device
std::string why_unavailable();  // one sentence; empty when available()
Context& context(Device device);
int compute_capability(Device device);   // 75, 80, 90
std::string description(Device device);  // "cuda:0 (NVIDIA H100, compute capability 9.0)"
std::string libraries();                 // "cuBLASLt 13.1.0, cuDNN 9.19.0", or why our own kernels replace them
std::string missing_libraries();         // one sentence for each library that this build uses and this machine lacks
size_t library_workspace_bytes();        // the max workspace of a cuDNN engine; 0 without cuDNN
size_t taken_bytes(size_t bytes);        // bytes of the arena that a tensor of `bytes` occupies
size_t room(Device device);              // the arena's memory plus what the driver can still allocate
void fill(Tensor& x, float value);       // f32, f16, bf16

// Trade-offs between exactness and speed. They hold for products and convolutions of shapes that have not run yet.
struct Arithmetic {
  bool deterministic = true;  // the same bits every time: no float atomics, and only deterministic cuDNN engines
  bool tf32 = false;          // f32 factors may be rounded to TF32 (ten bits) for tensor cores
  bool tanh_gelu = false;     // GELU by its tanh approximation (error up to 5e-4) if a product's epilogue computes it
};
void set_arithmetic(Arithmetic wanted);

// Sets the function that receives notices, one line each, of work that takes long the first time. Default: none.
void on_notice(std::function<void(const std::string&)> told);
bool notify(const std::string& notice);  // returns false if there is no receiver

// Time stamps on the device's stream: each is taken when all work submitted before it has finished.
class Marks {
 public:
  virtual ~Marks() = default;
  virtual void mark() = 0;
  virtual std::vector<double> microseconds() = 0;  // time of each mark since the Marks were made; waits for the last
};
std::unique_ptr<Marks> make_marks(Device device);

// Named ranges for NVIDIA's profilers (NVTX). They do nothing if this was built without the NVTX header.
void push_range(const std::string& name);
void pop_range();

// Work captured as a CUDA graph: one call of replay() starts all of its kernels, which use the same memory addresses as
// at capture. Values that change between replays (inputs, learning rate, random state) must therefore be written in
// place, and the work must not wait for the device or copy from or to the host.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
};
// Runs `work` twice: once normally, once under capture, which executes nothing. The effects are those of one run.
std::unique_ptr<Graph> capture(Device device, const std::function<void()>& work);

// Asynchronous copies to the host, each into its own pinned memory, so that the host waits only when it reads one.
class ReadBack {
 public:
  virtual ~ReadBack() = default;
  virtual void start(const Tensor& from) = 0;  // starts a copy on the stream, after all work submitted so far
  // Waits for the oldest unread copy; its memory is valid until the slot is used again.
  virtual std::span<const std::byte> oldest() = 0;
};
std::unique_ptr<ReadBack> read_back(Device device, size_t bytes, int slots);

// Copies batches to the device while the device computes, with two pinned buffers, two device buffers and its own
// stream.
class Upload {
 public:
  virtual ~Upload() = default;
  // Work submitted after this call sees the contents of `from` in `to`. The host may change `from` at once.
  virtual void send(const Tensor& from, Tensor& to) = 0;
};
std::unique_ptr<Upload> upload(Device device, size_t bytes);  // bytes of one batch

}  // namespace avs::cuda
