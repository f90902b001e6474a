// A build without cuBLASLt (AVS_CUBLAS=OFF): our own kernels compute every product.
#include "cuda/blas.h"

namespace avs::cuda {

std::string about_library() { return {}; }
const std::string& why_no_library() {
  static const std::string reason = "built without cuBLASLt";
  return reason;
}
bool library_product(const MatMul&, const Tensor&, const Tensor&, const Tensor&, Tensor&, const GeluInput&) {
  return false;
}

}  // namespace avs::cuda
