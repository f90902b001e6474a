// Batched complex transforms by cuFFT, for files inside cuda/.
#pragma once

#include "tensor/tensor.h"

namespace avs::cuda {

// Replaces x [batch, n, 2], f32 pairs (re, im), by its transforms:  X[k] = sum_j x[j] exp(-2 pi i j k / n), not scaled.
void fft_forward(Tensor& x);
const std::string& why_no_fft();  // one sentence; empty if cuFFT is available

}  // namespace avs::cuda
