// The seam between the engine and its CUDA backend: what code outside cuda/ may ask of it. No CUDA type appears here.
// A build without AVS_CUDA links disabled.cpp, in which every function throws DeviceError with one clear line.
#pragma once

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

}  // namespace avs::cuda
