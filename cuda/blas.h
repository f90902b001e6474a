// Matrix products for the ops: cuBLASLt where the build has it (CMake option AVS_CUBLAS), else our own (matmul.h). Also
// ours when it is asked for (AVS_CUBLAS=0 in the environment, use_products) and when the library has no algorithm for a
// product.
#pragma once

#include <string>

#include "cuda/matmul.h"

namespace avs::cuda {

enum class Products : uint8_t { Library, Own };
Products products();
void use_products(Products which);  // Library in a build without it: our own

// Off, f32 products are f32. Allowed, cuBLASLt may round their inputs to TF32 (10 bits of fraction) for tensor cores.
enum class Tf32 : uint8_t { Off, Allowed };
Tf32 tf32();
void set_tf32(Tf32 mode);

std::string about_products();  // "cuBLASLt 13.1.0", or why our own kernels multiply

// c = activation(op(a) op(b) + bias), as described at matmul() in matmul.h, which it falls back to.
void product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
             Tensor* pre = nullptr);

std::string about_library();  // cublaslt.cpp; empty: there is none
// cublaslt.cpp; activation None or Relu. False, and nothing done: there is no library, or it has no algorithm for this.
bool library_product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c);

}  // namespace avs::cuda
