// Slopes and curvatures along time, by Savitzky and Golay: the first derivative of the straight line, and the second
// derivative of the parabola, that fit nine neighbouring frames best (librosa.feature.delta, width 9, orders 1 and 2).
//
//   d[t]  = sum_{j=-4..4} j x[t+j] / 60
//   dd[t] = sum_{j=-4..4} (3 j^2 - 20) x[t+j] / 462
//
// The first and last four frames have the derivative of the fit to the first and last nine (mode "interp"): since a
// line's slope and a parabola's curvature are constant, that is the value at frame 4 and at frame n - 5.
#pragma once

#include "tensor/tensor.h"

namespace avs::audio {

inline constexpr int64_t kDeltaWidth = 9;

// x: [bands, frames, c] f32 with at least nine frames. Result: [bands, frames, 3 c]: x, then its delta, then
// delta-delta.
Tensor stack_deltas(const Tensor& x);

}  // namespace avs::audio
