// Our own matrix product: it needs no library, accepts all sizes, and is the fallback of every other path.
//   C [m, n] = activation(op(A) op(B) + bias [n]),   row-major, op(X) = X or its transpose
// f32 on CUDA cores; bf16 and f16 on tensor cores with f32 sums (bf16 from sm_80; before that on CUDA cores). For a
// small output and a long k, as in the gradient of a weight, blocks split k, and the parts are added in order.
#pragma once

#include "tensor/ops/activation.h"
#include "tensor/tensor.h"

namespace avs::cuda {

enum class Order : uint8_t { Plain, Transposed };
// Cuda: 16-bit types on CUDA cores too, as on a GPU without tensor cores for them
enum class Cores : uint8_t { Best, Cuda };

struct MatMul {
  int64_t m, n, k;
  Order a = Order::Plain;  // Transposed: memory holds [k, m]
  Order b = Order::Plain;  // Transposed: memory holds [n, k]
  Activation activation = Activation::None;
  Cores cores = Cores::Best;
};

// a and b have one type (f32, bf16, f16), c has the same or f32; bias is f32 or undefined. `pre`, if given, has c's
// type and receives the activation's input.
void matmul(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
            Tensor* pre = nullptr);

// y = activation(x) (Relu, Gelu), for products of a library without such an epilogue. y may be x.
void activate(Activation activation, const Tensor& x, Tensor& y);

}  // namespace avs::cuda
