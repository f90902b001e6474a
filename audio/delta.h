// Slope and curvature along time by Savitzky and Golay: the first derivative of the line and the second derivative of
// the parabola fitted to nine neighbouring frames (librosa.feature.delta, width 9, orders 1 and 2).
//
//   d[t]  = sum_{j=-4..4} j x[t+j] / 60
//   dd[t] = sum_{j=-4..4} (3 j^2 - 20) x[t+j] / 462
//
// The first and last four frames use the fit to the first and last nine frames (mode "interp"). Slope and curvature of
// a fit are constant, so these are the values at frames 4 and n - 5.
#pragma once

#include "tensor/tensor.h"

namespace avs::audio {

inline constexpr int64_t kDeltaWidth = 9;

// x: [bands, frames, c] f32, at least nine frames. Returns [bands, frames, 3 c]: x, its delta, its delta-delta.
Tensor stack_deltas(const Tensor& x);

}  // namespace avs::audio
