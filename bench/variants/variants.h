// Kernels in steps from the obvious form to the fast one. Each step is a file that states the bytes it should move, so
// that a reader sees its gain. The last step is the engine's own kernel in cuda/. All compute in f32 and are
// tested (tests/emulation/variants_test.cpp); variants_bench measures all of them on a GPU.
#pragma once

#include "tensor/ops/conv2d.h"
#include "tensor/tensor.h"

namespace avs::variants {

template <typename Function>
struct Step {
  const char* name;  // also the file's name
  Function run;
  double loaded;  // modelled: bytes loaded from L1, per element of the output unless noted otherwise
  double moved;   // modelled: bytes moved from and to memory, per element of the output
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

// ---- matrix product: a [m, k], b [k, n], c [m, n]. `loaded` and `moved` are per multiply-add; `loaded` counts 128
// bytes for each clock of L1 or shared memory per warp, `moved` counts the traffic behind L1 ----

using MatMul = void (*)(const Tensor& a, const Tensor& b, Tensor& c);
void matmul_1_thread_per_output(const Tensor& a, const Tensor& b, Tensor& c);
void matmul_2_shared_tile(const Tensor& a, const Tensor& b, Tensor& c);
void matmul_3_register_tile(const Tensor& a, const Tensor& b, Tensor& c);

inline constexpr Step<MatMul> kMatMul[] = {
    {"matmul_1_thread_per_output", matmul_1_thread_per_output, 8, 4.1},
    {"matmul_2_shared_tile", matmul_2_shared_tile, 8, 0.25},
    {"matmul_3_register_tile", matmul_3_register_tile, 0.75, 0.125},
};

}  // namespace avs::variants
