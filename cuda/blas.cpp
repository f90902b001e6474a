#include "cuda/blas.h"

#include <atomic>
#include <cstdlib>
#include <string>

namespace avs::cuda {
namespace {

Products products_of_environment() {
  const char* const asked = std::getenv("AVS_CUBLAS");
  return asked != nullptr && std::string(asked) == "0" ? Products::Own : Products::Library;
}

std::atomic<Products>& chosen_products() {
  static std::atomic<Products> chosen = products_of_environment();
  return chosen;
}
std::atomic<Tf32> chosen_tf32 = Tf32::Off;
std::atomic<GeluForm> chosen_gelu = GeluForm::Exact;

// cuBLASLt's condition on `pre`: rows of a multiple of 8 elements, aligned to 16 bytes.
bool may_lie_beside(const Tensor& pre) {
  return pre.shape()[-1] % 8 == 0 && reinterpret_cast<uintptr_t>(pre.raw()) % 16 == 0;
}
bool has_gelu_epilogue(const Tensor* pre) {
  return products() == Products::Library && gelu_form() == GeluForm::Tanh && (pre == nullptr || may_lie_beside(*pre));
}

}  // namespace

std::string about_products() {
  if (products() == Products::Own) return "AVS_CUBLAS=0: our own kernels multiply";
  return why_no_library().empty() ? about_library() : why_no_library() + ": our own kernels multiply";
}

Products products() { return chosen_products(); }
void use_products(Products which) { chosen_products() = which; }
Tf32 tf32() { return chosen_tf32; }
void set_tf32(Tf32 mode) { chosen_tf32 = mode; }

GeluForm gelu_form() { return chosen_gelu; }
void set_gelu_form(GeluForm form) { chosen_gelu = form; }

bool product_through_gelu(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& pre, Tensor& c) {
  if (product.m == 0 || product.n == 0 || product.k == 0 || !has_gelu_epilogue(&pre)) return false;
  return library_product(product, a, b, {}, c, {pre, GeluInput::Use::Read});
}

void product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c, Tensor* pre) {
  if (product.m == 0 || product.n == 0) return;
  if (product.activation == Activation::Gelu && product.k != 0 && has_gelu_epilogue(pre) &&
      library_product(product, a, b, bias, c, {pre == nullptr ? Tensor() : *pre}))
    return;
  // cuBLASLt's GELU is the tanh approximation; unless that is allowed, GELU runs as a separate kernel.
  const bool own_pass = pre != nullptr || product.activation == Activation::Gelu;
  MatMul asked = product;
  if (own_pass) asked.activation = Activation::None;
  Tensor& target = pre != nullptr ? *pre : c;
  if (products() == Products::Own || product.k == 0 || !library_product(asked, a, b, bias, target))
    return matmul(product, a, b, bias, c, pre);
  if (own_pass) activate(product.activation, target, c);
}

}  // namespace avs::cuda
