// Matrix products for the ops: cuBLASLt if the build has it (CMake option AVS_CUBLAS), else our own (matmul.h). Our own
// also run when selected (AVS_CUBLAS=0 in the environment, use_products) and when cuBLASLt has no algorithm for a
// product.
#pragma once

#include <string>

#include "cuda/matmul.h"

namespace avs::cuda {

enum class Products : uint8_t { Library, Own };
Products products();
void use_products(Products which);  // a build without cuBLASLt always uses our own

// Off: f32 products are f32. Allowed: cuBLASLt may round their inputs to TF32 (10 bits of fraction) for tensor cores.
enum class Tf32 : uint8_t { Off, Allowed };
Tf32 tf32();
void set_tf32(Tf32 mode);

// Exact: GELU uses the error function, as in every other backend, in a kernel after the product. Tanh: the library's
// epilogues compute the tanh approximation (error up to 5e-4) in the product, forward and backward.
enum class GeluForm : uint8_t { Exact, Tanh };
GeluForm gelu_form();
void set_gelu_form(GeluForm form);

std::string about_products();  // "cuBLASLt 13.1.0", or why our own kernels multiply

// c = activation(op(a) op(b) + bias); falls back to matmul() in matmul.h, which has the details.
void product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
             Tensor* pre = nullptr);

// c = gelu'(pre) * (op(a) op(b)); pre and c have one type. Returns false and computes nothing without the library,
// without GeluForm::Tanh, or if the library has no algorithm.
bool product_through_gelu(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& pre, Tensor& c);

std::string about_library();          // cublaslt.cpp, if it is built: "cuBLASLt 13.1.0"
const std::string& why_no_library();  // one sentence; empty if the library was opened
// The second output (forward) or input (backward) of a GELU epilogue, with c's shape and type.
struct GeluInput {
  Tensor pre = {};
  enum class Use : uint8_t { Kept, Read } use = Use::Kept;
};
// cublaslt.cpp. Gelu is the tanh approximation; Use::Read is product_through_gelu(). Returns false and computes nothing
// if there is no library or it has no algorithm.
bool library_product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
                     const GeluInput& gelu = {});

}  // namespace avs::cuda
