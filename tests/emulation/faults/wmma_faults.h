// A product of two 16 x 16 matrices by one warp, and copies that break one rule of WMMA each.
#pragma once

#include "tensor/tensor.h"

namespace avs::faults {

struct WmmaFault {
  const char* name;
  void (*run)(const Tensor& a, const Tensor& b, Tensor& y);
  const char* finding;
};

void wmma_product(const Tensor& a, const Tensor& b, Tensor& y);  // the sound one: y = a b, f32 [16, 16] each

const WmmaFault* wmma_begin();
const WmmaFault* wmma_end();

}  // namespace avs::faults
