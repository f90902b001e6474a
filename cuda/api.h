// The seam between the engine and its CUDA backend: what code outside cuda/ may ask of it. No CUDA type appears here.
// A build without AVS_CUDA links disabled.cpp, in which every function throws DeviceError with one clear line.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tensor/context.h"
#include "tensor/device.h"

namespace avs {
class Tensor;
}

namespace avs::cuda {

bool available();               // built in, a driver found, and at least one device
std::string why_unavailable();  // one sentence for people; empty when available()
Context& context(Device device);
int compute_capability(Device device);    // 75, 80, 90
std::string description(Device device);   // "cuda:0 (NVIDIA H100, compute capability 9.0)"
void fill(Tensor& x, float value);  // f32, f16, bf16

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

}  // namespace avs::cuda
