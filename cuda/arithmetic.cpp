// What may be traded for speed (contract: api.h), passed on to the libraries; and what they say of themselves.
#include "cuda/api.h"
#include "cuda/blas.h"
#include "cuda/cudnn.h"

namespace avs::cuda {

void set_arithmetic(Arithmetic wanted) {
  set_tf32(wanted.tf32 ? Tf32::Allowed : Tf32::Off);
  set_gelu_form(wanted.tanh_gelu ? GeluForm::Tanh : GeluForm::Exact);
  cudnn::set_rules({.deterministic = wanted.deterministic, .tensor_cores_in_f32 = wanted.tf32});
}

std::string libraries() { return about_products() + ", " + cudnn::about(); }
size_t library_workspace_bytes() { return static_cast<size_t>(cudnn::most_workspace_bytes()); }

}  // namespace avs::cuda
