// Convolution, forward and backward input, for few channels in or out: see conv2d_narrow.cu.
#pragma once

#include "cuda/conv2d_window.cuh"

namespace avs::cuda::own {

bool narrow_serves(const Window& window, int64_t out_channels);

// T is float, bf16 or f16; the filter is f32.
template <typename T>
void narrow(const char* name, const T* in, const Window& window, const float* w, const FilterTaps& taps,
            const PixelSink<T>& sink, Device device);

}  // namespace avs::cuda::own
