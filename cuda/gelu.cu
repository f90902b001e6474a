// GELU on CUDA. Memory bound: two elements moved per element forward, three backward (8 and 12 bytes in f32).
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/gelu.h"

namespace avs::cuda {
namespace {

struct Gelu {
  __device__ float operator()(float x) const { return x * normcdff(x); }
};
struct GeluGradient {
  __device__ float operator()(float x, float dy) const {
    const float density = 0.3989422804f * __expf(-0.5f * x * x);  // the normal density at x
    return dy * (normcdff(x) + x * density);
  }
};

}  // namespace

void gelu(const Tensor& x, Tensor& y) {
  for_floating("gelu", x.dtype(),
               [&]<typename T>() { map_elements("gelu", x.size(), x.device(), Gelu{}, y.data<T>(), x.data<T>()); });
}

void gelu_backward(const Tensor& x, const Tensor& dy, Tensor& dx) {
  for_floating("gelu_backward", x.dtype(), [&]<typename T>() {
    map_elements("gelu_backward", x.size(), x.device(), GeluGradient{}, dx.data<T>(), x.data<T>(), dy.data<T>());
  });
}

}  // namespace avs::cuda
