// A build without cuFFT (AVS_CUFFT=OFF): spectrograms are made on the CPU.
#include "cuda/fft.h"
#include "tensor/error.h"

namespace avs::cuda {

void fft_forward(Tensor&) {
  throw DeviceError("spectrograms on a GPU: this build has no cuFFT; --features-on cpu works");
}

}  // namespace avs::cuda
