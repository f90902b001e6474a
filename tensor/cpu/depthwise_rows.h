// The inner loops of depthwise convolution, shared by depthwise_conv2d and depthwise_layer_norm.
#pragma once

#include "tensor/ops/depthwise_conv2d.h"

namespace avs::cpu {

struct DepthwiseProblem {
  int64_t n, h, w, c;  // input
  int64_t p, q;        // output
  int64_t r, s;        // filter
  int64_t top, left;
};

DepthwiseProblem depthwise_problem(const Shape& x, const Shape& filter, const Padding& padding);

// One output row [q, c] of image `image`: y = bias + sum x * filter. bias may be null.
void depthwise_row(const DepthwiseProblem& problem, const float* x, const float* filter, const float* bias,
                   int64_t image, int64_t row, float* y);

}  // namespace avs::cpu
