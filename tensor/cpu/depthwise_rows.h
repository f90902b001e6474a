// The inner loops of depthwise convolution, shared by depthwise_conv2d and depthwise_layer_norm.
//
// For one vector of channels, a filter row of 7 and a tile of outputs stay in registers; each input value is loaded
// once per tile and used by all 7 taps. That is 7 multiply-adds per load; a loop tap by tap has one. Filters of other
// widths are computed tap by tap.
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

// dw [r, s, c] = the part of the filter's gradient that output rows [first, last) of image `image` contribute.
void depthwise_filter_rows(const DepthwiseProblem& problem, const float* x, const float* dy, int64_t image,
                           int64_t first, int64_t last, float* dw);

}  // namespace avs::cpu
