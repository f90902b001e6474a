// What stands in for cuDNN on the host: nothing, as in a build without it (our own kernels convolve), or plain loops
// behind the same three functions, which first check everything that cuDNN would demand of its arguments.
#pragma once

#include <cstdint>

namespace avs::emulation {

enum class Cudnn : uint8_t { Missing, Loops };
void set_cudnn(Cudnn which);
int64_t convolutions_by_cudnn();  // that the loops have done

}  // namespace avs::emulation
