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

// Exact, GELU has the error function of every other backend, in a pass behind the product. Tanh, the library's
// epilogues do it as the product is written and as a gradient comes back: the tanh approximation, up to 5e-4 off.
enum class GeluForm : uint8_t { Exact, Tanh };
GeluForm gelu_form();
void set_gelu_form(GeluForm form);

std::string about_products();  // "cuBLASLt 13.1.0", or why our own kernels multiply

// c = activation(op(a) op(b) + bias), as described at matmul() in matmul.h, which it falls back to.
void product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
             Tensor* pre = nullptr);

// c = gelu'(pre) * (op(a) op(b)), pre and c of one type. False, and nothing done: no epilogue does it, for want of the
// library, of GeluForm::Tanh, or of an algorithm.
bool product_through_gelu(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& pre, Tensor& c);

std::string about_library();          // cublaslt.cpp, where there is one: "cuBLASLt 13.1.0"
const std::string& why_no_library();  // one sentence; empty: there is one
// What a GELU's epilogue keeps (forward, written) or reads (backward) beside c, of c's shape and type.
struct GeluInput {
  Tensor pre = {};
  enum class Use : uint8_t { Kept, Read } use = Use::Kept;
};
// cublaslt.cpp. Gelu is the tanh approximation; Use::Read is product_through_gelu(). False, and nothing done: there is
// no library, or it has no algorithm for this.
bool library_product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
                     const GeluInput& gelu = {});

}  // namespace avs::cuda
