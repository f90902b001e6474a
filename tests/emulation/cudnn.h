// Replaces cuDNN on the host: by nothing, as if it were not installed (our own kernels convolve), or by plain loops
// behind cuda/cudnn_plans.h, which first check all of cuDNN's requirements. The choice, timing, storage and allocation
// stay those of cuda/cudnn.cpp.
#pragma once

#include <cstdint>
#include <string>

namespace avs::emulation {

// Choice: three engines, of which the first cannot be built and the second is slower.
enum class Cudnn : uint8_t { Missing, Loops, Choice };
void set_cudnn(Cudnn which);  // opened anew: the next convolution makes its handle
// Tests can inject faults into its calls (runtime.h): cudnnCreate, cudnnBackendFinalize (a graph, then each engine that
// is built), cudnnSetStream, cudnnBackendExecute.
constexpr int kCudnnExecutionFailed = 5000;
int64_t convolutions_by_cudnn();  // number computed by the loops
std::string last_engine_of_cudnn();

}  // namespace avs::emulation
