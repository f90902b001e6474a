// Our own matrix product: the path that needs no library, has no demands on sizes, and that everything falls back to.
//   C [m, n] = activation(op(A) op(B) + bias [n]),   row-major, op(X) = X or its transpose
// f32 on CUDA cores; bf16 and f16 on tensor cores with f32 sums (bf16 from sm_80; before that on CUDA cores). Where the
// output is small and k long, as in the gradient of a weight, k is split between blocks; the parts are added in order.
#pragma once

#include "tensor/ops/activation.h"
#include "tensor/tensor.h"

namespace avs::cuda {

enum class Order : uint8_t { Plain, Transposed };
enum class Cores : uint8_t { Best, Cuda };  // Cuda: 16-bit types on CUDA cores too, as on a GPU without others

struct MatMul {
  int64_t m, n, k;
  Order a = Order::Plain;  // Transposed: memory holds [k, m]
  Order b = Order::Plain;  // Transposed: memory holds [n, k]
  Activation activation = Activation::None;
  Cores cores = Cores::Best;
};

// a and b are of one type (f32, bf16, f16), c of the same or f32; bias is f32 or undefined. `pre`, where given, is of
// c's type and receives what the activation is applied to.
void matmul(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
            Tensor* pre = nullptr);

// y = activation(x) (Relu, Gelu) for products of a library that has no such epilogue. y may be x.
void activate(Activation activation, const Tensor& x, Tensor& y);

}  // namespace avs::cuda
