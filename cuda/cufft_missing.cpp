// A build without cuFFT (AVS_CUFFT=OFF): the CPU computes spectrograms.
#include "cuda/fft.h"
#include "tensor/error.h"

namespace avs::cuda {

void fft_forward(Tensor&) { throw DeviceError("spectrograms on a GPU: " + why_no_fft() + "; --features-on cpu works"); }
const std::string& why_no_fft() {
  static const std::string reason = "this build has no cuFFT";
  return reason;
}

}  // namespace avs::cuda
