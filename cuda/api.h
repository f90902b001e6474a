// The seam between the engine and its CUDA backend: what code outside cuda/ may ask of it. No CUDA type appears here.
// A build without AVS_CUDA links disabled.cpp, in which every function throws DeviceError with one clear line.
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

bool available();               // built in, a driver found, and at least one device
std::string why_unavailable();  // one sentence for people; empty when available()
Context& context(Device device);
int compute_capability(Device device);   // 75, 80, 90
std::string description(Device device);  // "cuda:0 (NVIDIA H100, compute capability 9.0)"
std::string libraries();                 // "cuBLASLt 13.1.0, cuDNN 9.19.0", or why our own kernels do their work
std::string missing_libraries();    // one sentence for each that the build has and this machine has not; empty: none
size_t library_workspace_bytes();   // the most that an engine of cuDNN takes for its work; 0 without it
size_t taken_bytes(size_t bytes);   // of the arena, by a tensor of so many bytes
size_t room(Device device);         // what the arena holds and what the driver has left
void fill(Tensor& x, float value);  // f32, f16, bf16

// What may be traded for speed, in products and convolutions of shapes that were not met before.
struct Arithmetic {
  bool deterministic = true;  // the same bits every time: no float atomics, only such engines of cuDNN
  bool tf32 = false;          // f32 factors may be rounded to ten bits for tensor cores
  bool tanh_gelu = false;     // GELU by its tanh approximation, up to 5e-4 off, where a product's epilogue does it
};
void set_arithmetic(Arithmetic wanted);

// Told of what takes long and only the first time, in one line each; nobody is told unless asked for.
void on_notice(std::function<void(const std::string&)> told);
bool notify(const std::string& notice);  // false: nobody listens

// Moments on the device's stream: when the work that was asked for before a mark was done.
class Marks {
 public:
  virtual ~Marks() = default;
  virtual void mark() = 0;
  virtual std::vector<double> microseconds() = 0;  // of each mark since the Marks were made; waits for the last
};
std::unique_ptr<Marks> make_marks(Device device);

// Named ranges for NVIDIA's profilers (NVTX), where its header was found; nothing otherwise.
void push_range(const std::string& name);
void pop_range();

// Work that was captured as one graph: replay() starts all of its kernels with one call, reading and writing the memory
// that they read and wrote when they were captured. What changes from replay to replay (inputs, learning rate, random
// state) must therefore be written in place, and nothing inside may wait for the device or copy from or to the host.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
};
// Runs `work` once as it is and once while capturing, which executes nothing: one run's effects, and a graph.
std::unique_ptr<Graph> capture(Device device, const std::function<void()>& work);

// Results on their way to the host, each in pinned memory of its own, so that nobody waits until one is asked for.
class ReadBack {
 public:
  virtual ~ReadBack() = default;
  virtual void start(const Tensor& from) = 0;  // a copy behind all that the device was given so far
  virtual std::span<const std::byte>
  oldest() = 0;  // waits for the oldest that was not asked for; good until its slot's turn
};
std::unique_ptr<ReadBack> read_back(Device device, size_t bytes, int slots);

// A batch's way from the host to the device, beside what the device computes: two pinned buffers, two buffers there and a
// stream of its own.
class Upload {
 public:
  virtual ~Upload() = default;
  // `to` holds `from` for all that the device is given after this. The host may change `from` at once.
  virtual void send(const Tensor& from, Tensor& to) = 0;
};
std::unique_ptr<Upload> upload(Device device, size_t bytes);  // of each batch

}  // namespace avs::cuda
