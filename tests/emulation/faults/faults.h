// Kernels with one planted fault each, and the sound kernel that they were copied from. run_NAME() launches on n elements.
#pragma once

#include "tensor/tensor.h"

namespace avs::faults {

struct Fault {
  const char* name;      // what was broken
  void (*run)(const Tensor& x, Tensor& y);
  const char* finding;   // what the emulation must say of it
};

void row_sums(const Tensor& x, Tensor& y);  // the sound one: y[row] = sum of x[row, :], a block per row

const Fault* begin();
const Fault* end();

}  // namespace avs::faults
