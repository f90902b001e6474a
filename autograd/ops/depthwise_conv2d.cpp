#include "tensor/ops/depthwise_conv2d.h"

#include "autograd/functions.h"
#include "tensor/ops/reduce.h"

namespace avs {

Variable depthwise_conv2d(const Variable& x, const Variable& w, const Variable& bias, Padding padding) {
  const Tensor saved_x = w.requires_grad() ? x.value() : Tensor();
  const Tensor saved_w = x.requires_grad() ? w.value() : Tensor();

  return record(
      "depthwise_conv2d", {x, w, bias}, ops::depthwise_conv2d(x.value(), w.value(), bias.value(), padding),
      [saved_x, saved_w, x_shape = x.shape(), w_shape = w.shape(), padding](const Tensor& dy, const Needs& needs) {
        return std::vector<Tensor>{
            needs[0] ? ops::depthwise_conv2d_backward_input(x_shape, saved_w, dy, padding) : Tensor(),
            needs[1] ? ops::depthwise_conv2d_backward_filter(saved_x, w_shape, dy, padding) : Tensor(),
            needs[2] ? ops::sum_rows(dy) : Tensor()};
      });
}

}  // namespace avs
