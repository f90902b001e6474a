// ReLU on CUDA: memory bound, two elements moved per element forward, three backward (8 and 12 bytes in f32). NaN stays
// NaN, so that a diverged run is visible.
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/relu.h"

namespace avs::cuda {
namespace {

struct Relu {
  __device__ float operator()(float x) const { return x < 0.0f ? 0.0f : x; }
};
struct ReluGradient {
  __device__ float operator()(float y, float dy) const { return y > 0.0f ? dy : 0.0f; }
};

}  // namespace

void relu(const Tensor& x, Tensor& y) {
  for_floating("relu", x.dtype(),
               [&]<typename T>() { map_elements("relu", x.size(), x.device(), Relu{}, y.data<T>(), x.data<T>()); });
}

void relu_backward(const Tensor& y, const Tensor& dy, Tensor& dx) {
  for_floating("relu_backward", y.dtype(), [&]<typename T>() {
    map_elements("relu_backward", y.size(), y.device(), ReluGradient{}, dx.data<T>(), y.data<T>(), dy.data<T>());
  });
}

}  // namespace avs::cuda
