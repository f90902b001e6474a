#include "tensor/ops/conv2d.h"

#include "autograd/functions.h"
#include "tensor/ops/reduce.h"

namespace avs {

Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, Conv2dSpec spec) {
  // Save only what backward will read: x for the filter's gradient, w for the input's.
  const Tensor saved_x = w.requires_grad() ? x.value() : Tensor();
  const Tensor saved_w = x.requires_grad() ? w.value() : Tensor();

  return record(
      "conv2d", {x, w, bias}, ops::conv2d(x.value(), w.value(), bias.value(), spec),
      [saved_x, saved_w, x_shape = x.shape(), w_shape = w.shape(), spec](const Tensor& dy, const Needs& needs) {
        return std::vector<Tensor>{needs[0] ? ops::conv2d_backward_input(x_shape, saved_w, dy, spec) : Tensor(),
                                   needs[1] ? ops::conv2d_backward_filter(saved_x, w_shape, dy, spec) : Tensor(),
                                   needs[2] ? ops::sum_rows(dy) : Tensor()};
      });
}

}  // namespace avs
