// Kernels on their way from the obvious to the fast: one file per step, each with the bytes it should move, so that a
// reader can tell what a step buys. The last step of each is the engine's own kernel in cuda/. All of them compute in
// f32 and are tested (tests/emulation/variants_test.cpp); variants_bench measures them beside each other where there is
// a GPU.
#pragma once

#include "tensor/ops/conv2d.h"
#include "tensor/tensor.h"

namespace avs::variants {

template <typename Function>
struct Step {
  const char* name;  // of the file too
  Function run;
  double loaded;  // modelled: bytes that loads ask of L1, per element of the output
  double moved;   // modelled: bytes that must come from and go to memory, per element of the output
};

// ---- layer normalisation: x, y [rows, c] ----

using LayerNorm = void (*)(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, Tensor& y);
void layer_norm_1_thread_per_row(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, Tensor& y);
void layer_norm_2_warp_per_row(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, Tensor& y);
void layer_norm_3_row_in_registers(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, Tensor& y);

inline constexpr Step<LayerNorm> kLayerNorm[] = {
    {"layer_norm_1_thread_per_row", layer_norm_1_thread_per_row, 20, 8},
    {"layer_norm_2_warp_per_row", layer_norm_2_warp_per_row, 20, 8},
    {"layer_norm_3_row_in_registers", layer_norm_3_row_in_registers, 12, 8},
};

// ---- depthwise convolution 7x7 without bias: x, y [n, h, w, c], padding 3 ----

using Depthwise = void (*)(const Tensor& x, const Tensor& filter, Tensor& y);
void depthwise_1_thread_per_output(const Tensor& x, const Tensor& filter, Tensor& y);
void depthwise_2_channels_side_by_side(const Tensor& x, const Tensor& filter, Tensor& y);
void depthwise_3_seven_outputs(const Tensor& x, const Tensor& filter, Tensor& y);
void depthwise_4_shared_tile(const Tensor& x, const Tensor& filter, Tensor& y);

inline constexpr Step<Depthwise> kDepthwise[] = {
    {"depthwise_1_thread_per_output", depthwise_1_thread_per_output, 392, 8},
    {"depthwise_2_channels_side_by_side", depthwise_2_channels_side_by_side, 392, 8},
    {"depthwise_3_seven_outputs", depthwise_3_seven_outputs, 80, 8},
    {"depthwise_4_shared_tile", depthwise_4_shared_tile, 35.6, 8},
};

}  // namespace avs::variants
