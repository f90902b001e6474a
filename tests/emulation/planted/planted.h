// Entry points of kernels with planted faults, which CMakeLists.txt in this folder describes; cuda/ has them without.
#pragma once

#include "cuda/matmul_tile.cuh"
#include "cuda/spectrogram.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/mixup.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/softmax_kl.h"

namespace avs::cuda::planted {

namespace removed_barrier {
extern decltype(cuda::layer_norm_backward) layer_norm_backward;
}
namespace dropped_guard {
extern decltype(cuda::halve_rate) halve_rate;
}
namespace off_by_one {
extern decltype(cuda::sum_squares) sum_squares;
}
namespace wrong_mask {
extern decltype(cuda::layer_norm) layer_norm;
}
namespace missing_lanes {
extern decltype(cuda::softmax_kl_backward) softmax_kl_backward;
}
namespace misaligned_load {
extern decltype(cuda::mixup) mixup;
}
namespace missing_initialisation {
extern decltype(cuda::layer_norm_backward) layer_norm_backward;
}
namespace race_between_blocks {
extern decltype(cuda::find_non_finite) find_non_finite;
}
namespace overflow {
extern decltype(cuda::stft) stft;
}
namespace divergent_barrier {
extern decltype(cuda::layer_norm_backward) layer_norm_backward;
}

#define AVS_PLANTED(name)                                                                 \
  namespace name {                                                                        \
  template <typename T>                                                                   \
  void launch_on_tensor_cores(const Product<T>&, Along a, Along b, const Launching& how); \
  }
AVS_PLANTED(wmma_barrier)
AVS_PLANTED(wmma_alignment)
AVS_PLANTED(wmma_leading_dimension)
AVS_PLANTED(wmma_agreement)
AVS_PLANTED(wmma_filling)
#undef AVS_PLANTED

}  // namespace avs::cuda::planted
