// Argument checks shared by many ops, so that all errors have the same form: op, argument, what was given, what was
// expected. Ops call them before they allocate anything.
#pragma once

#include <initializer_list>

#include "tensor/tensor.h"

namespace avs {

// ShapeError unless t is a defined f32 tensor.
void check_f32(const char* op, const char* name, const Tensor& t);
// ShapeError unless t is an activation: defined and f32, or bf16 or f16 if its device computes in them.
void check_activation(const char* op, const char* name, const Tensor& t);
// ShapeError unless a and b are defined and have one shape, type and device: "relu_backward: y is [2, 3] but dy is [3,
// 2]".
void check_alike(const char* op, const char* a_name, const Tensor& a, const char* b_name, const Tensor& b);
struct NamedTensor {
  const char* name;
  const Tensor& tensor;
};
// ShapeError unless all defined tensors are on one device: "conv2d: x is on cuda:0 but w is on cpu".
void check_same_device(const char* op, std::initializer_list<NamedTensor> tensors);
// ShapeError unless t is f32 [c] on x's device, c = the last axis of x.
void check_per_channel(const char* op, const Tensor& x, const char* name, const Tensor& t);
// Returns x as [rows, c]; ShapeError unless x is an activation with at least one axis and one channel.
struct RowsShape {
  int64_t rows, c;
};
RowsShape check_rows(const char* op, const char* name, const Tensor& x);

}  // namespace avs
