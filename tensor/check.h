// Argument checks that many ops share, so that they all complain in the same words. Each names the op, the argument,
// what it is and what it should be; ops call them before anything is allocated.
#pragma once

#include <initializer_list>

#include "tensor/tensor.h"

namespace avs {

// ShapeError unless t is a defined f32 tensor.
void check_f32(const char* op, const char* name, const Tensor& t);
// ShapeError unless t is defined and f32 or, where the backend computes with them, bf16 or f16: an activation.
void check_activation(const char* op, const char* name, const Tensor& t);
// ShapeError unless both are defined, of one shape, type and device: "relu_backward: y is [2, 3] but dy is [3, 2]".
void check_alike(const char* op, const char* a_name, const Tensor& a, const char* b_name, const Tensor& b);
// ShapeError unless all of them that are defined lie on one device: "conv2d: x is on cuda:0 but w is on cpu".
struct NamedTensor {
  const char* name;
  const Tensor& tensor;
};
void check_same_device(const char* op, std::initializer_list<NamedTensor> tensors);
// ShapeError unless t is f32 [c] on x's device, c = the last axis of x.
void check_per_channel(const char* op, const Tensor& x, const char* name, const Tensor& t);
// x as [rows, c]: ShapeError unless it is an activation with at least one axis and one channel.
struct RowsShape {
  int64_t rows, c;
};
RowsShape check_rows(const char* op, const char* name, const Tensor& x);

}  // namespace avs
