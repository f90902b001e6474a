#include "tensor/ops/affine_channels.h"

#include "autograd/functions.h"
#include "tensor/ops/scale_channels.h"

namespace avs {

Variable affine_channels(const Variable& x, const Tensor& scale, const Tensor& shift) {
  return record(
      "affine_channels", {x}, ops::affine_channels(x.value(), scale, shift),
      [scale](const Tensor& dy, const Needs&) { return std::vector<Tensor>{ops::scale_channels(dy, scale)}; });
}

}  // namespace avs
