// What stands in for cuDNN on the host: nothing, as where it is not installed (our own kernels convolve), or plain
// loops behind cuda/cudnn_plans.h, which first check everything that cuDNN would demand of its arguments. What is
// chosen, timed, remembered and allocated is the engine's own code (cuda/cudnn.cpp).
#pragma once

#include <cstdint>
#include <string>

namespace avs::emulation {

// Choice: of three engines, of which the first cannot be built and the second is the slower one.
enum class Cudnn : uint8_t { Missing, Loops, Choice };
void set_cudnn(Cudnn which);  // opened anew: it makes its handle when it is next asked for a convolution
// Its calls may be given faults (runtime.h): cudnnCreate, cudnnBackendFinalize (a graph, then each engine that is
// built), cudnnSetStream, cudnnBackendExecute.
constexpr int kCudnnExecutionFailed = 5000;
int64_t convolutions_by_cudnn();  // that the loops have done
std::string last_engine_of_cudnn();

}  // namespace avs::emulation
