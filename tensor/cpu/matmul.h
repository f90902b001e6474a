// Matrix products through oneDNN, for linear layers and for the convolutions that are faster as products.
#pragma once

#include "tensor/ops/activation.h"

namespace avs::cpu {

enum class Order : uint8_t { Plain, Transposed };
enum class Into : uint8_t { Written, Added };  // c = ..., or c += ...

struct MatMul {  // c [m, n] = activation(a [m, k] b [k, n] + bias [n])
  int64_t m, n, k;
  Order a = Order::Plain;  // Transposed: memory holds [k, m]
  Order b = Order::Plain;  // Transposed: memory holds [n, k]
  int64_t c_stride = 0;    // elements from one row of c to the next; 0: n
  Into into = Into::Written;
  Activation activation = Activation::None;
};

void matmul(const MatMul& product, const float* a, const float* b, const float* bias, float* c);  // bias may be null

}  // namespace avs::cpu
