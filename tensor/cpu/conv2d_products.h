// The filter gradient of a convolution as matrix products, one for each image and filter tap (r, s):
//   dw[:, r, s, :] += dy^T x(shifted by r, s)
// over all pixels at once. oneDNN's own filter gradient keeps a register tile across the taps of a filter row, so it
// has little to hold for a 4x1 filter and runs at half of what it reaches for a 1x4; the products do not mind.
#pragma once

#include <string>

#include "tensor/ops/conv2d.h"

namespace avs::cpu {

// Are products faster than oneDNN's convolution here? The measurements behind the rule stand in docs/cpu.md.
bool filter_gradient_as_products(const Shape& x, const Shape& w, const Conv2dSpec& spec);

void conv2d_backward_filter_as_products(const Tensor& x, const Tensor& dy, const Conv2dSpec& spec, Tensor& dw);
std::string products_implementation(const Shape& x, const Shape& w, const Conv2dSpec& spec);

}  // namespace avs::cpu
