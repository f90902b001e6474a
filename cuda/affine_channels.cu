// Preprocessing on CUDA: memory bound, 8 bytes an element, 5 from pixels.
#include "cuda/elementwise.cuh"
#include "tensor/ops/affine_channels.h"

namespace avs::cuda {
namespace {

struct Affine {
  static constexpr int kParameters = 2;
  __device__ float operator()(const float* p, float x) const { return x * p[0] + p[1]; }
};

}  // namespace

void affine_channels(const Tensor& x, const Tensor& scale, const Tensor& shift, Tensor& y) {
  const auto run = [&](const auto* from) {
    map_channels("affine_channels", x.size(), x.shape()[-1], x.device(), Affine{},
                 {{scale.data<float>(), shift.data<float>()}}, y.data<float>(), from);
  };
  x.dtype() == DType::U8 ? run(x.data<uint8_t>()) : run(x.data<float>());
}

}  // namespace avs::cuda
