// The CUDA backend of a build without CUDA: every twin says so in one clear line.
#include "cuda/api.h"
#include "tensor/ops/gelu.h"

namespace avs::cuda {
namespace {
[[noreturn]] void missing() { throw DeviceError(why_unavailable()); }
}  // namespace

bool available() { return false; }
std::string why_unavailable() { return "this build has no CUDA backend"; }
avs::Context& context(Device) { missing(); }

void gelu(const Tensor&, Tensor&) { missing(); }
void gelu_backward(const Tensor&, const Tensor&, Tensor&) { missing(); }

}  // namespace avs::cuda
