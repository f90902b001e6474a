// The trade-offs of api.h, passed on to the libraries, and the libraries' descriptions.
#include "cuda/api.h"
#include "cuda/blas.h"
#include "cuda/cudnn.h"
#include "cuda/opened_library.h"

namespace avs::cuda {

void set_arithmetic(Arithmetic wanted) {
  set_tf32(wanted.tf32 ? Tf32::Allowed : Tf32::Off);
  set_gelu_form(wanted.tanh_gelu ? GeluForm::Tanh : GeluForm::Exact);
  cudnn::set_rules({.deterministic = wanted.deterministic, .tensor_cores_in_f32 = wanted.tf32});
}

std::string libraries() { return about_products() + ", " + cudnn::about(); }
namespace {
std::function<void(const std::string&)>& listener() {
  static std::function<void(const std::string&)> told;
  return told;
}
}  // namespace
void on_notice(std::function<void(const std::string&)> told) { listener() = std::move(told); }
bool notify(const std::string& notice) {
  if (listener()) listener()(notice);
  return static_cast<bool>(listener());
}

std::string missing_libraries() {
  libraries();  // opens the libraries
  std::string all;
  for (const std::string& problem : OpenedLibrary::problems()) all += (all.empty() ? "" : "; ") + problem;
  return all;
}
size_t library_workspace_bytes() { return static_cast<size_t>(cudnn::most_workspace_bytes()); }

}  // namespace avs::cuda
