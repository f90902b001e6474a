#include "tensor/check.h"

namespace avs {

void check_f32(const char* op, const char* name, const Tensor& t) {
  AVS_CHECK(ShapeError, t.defined(), op, ": ", name, " is undefined");
  AVS_CHECK(ShapeError, t.dtype() == DType::F32, op, ": ", name, " must be f32, got ", t.dtype(), " ", t.shape());
}

void check_activation(const char* op, const char* name, const Tensor& t) {
  if (!t.defined() || !t.device().is_cuda()) return check_f32(op, name, t);  // on the CPU, activations are f32
  AVS_CHECK(ShapeError, t.dtype() == DType::F32 || t.dtype() == DType::BF16 || t.dtype() == DType::F16, op, ": ", name,
            " must be f32, bf16 or f16, got ", t.dtype(), " ", t.shape());
}

void check_alike(const char* op, const char* a_name, const Tensor& a, const char* b_name, const Tensor& b) {
  AVS_CHECK(ShapeError, a.defined(), op, ": ", a_name, " is undefined");
  AVS_CHECK(ShapeError, b.defined(), op, ": ", b_name, " is undefined");
  AVS_CHECK(ShapeError, a.shape() == b.shape(), op, ": ", a_name, " is ", a.shape(), " but ", b_name, " is ",
            b.shape());
  AVS_CHECK(ShapeError, a.dtype() == b.dtype(), op, ": ", a_name, " holds ", a.dtype(), " but ", b_name, " holds ",
            b.dtype());
  check_same_device(op, {{a_name, a}, {b_name, b}});
}

void check_same_device(const char* op, std::initializer_list<NamedTensor> tensors) {
  const NamedTensor* first = nullptr;
  for (const NamedTensor& t : tensors) {
    if (!t.tensor.defined()) continue;
    if (first == nullptr) first = &t;
    AVS_CHECK(ShapeError, t.tensor.device() == first->tensor.device(), op, ": ", first->name, " is on ",
              first->tensor.device(), " but ", t.name, " is on ", t.tensor.device());
  }
}

void check_per_channel(const char* op, const Tensor& x, const char* name, const Tensor& t) {
  check_f32(op, name, t);
  AVS_CHECK(ShapeError, t.shape() == Shape({x.shape()[-1]}), op, ": x ", x.shape(), " has ", x.shape()[-1],
            " channels, so ", name, " must be [", x.shape()[-1], "], got ", t.shape());
  check_same_device(op, {{"x", x}, {name, t}});
}

RowsShape check_rows(const char* op, const char* name, const Tensor& x) {
  check_activation(op, name, x);
  AVS_CHECK(ShapeError, x.shape().rank() >= 1 && x.shape()[-1] >= 1, op, ": ", name,
            " must have at least one axis and one channel, got ", x.shape());
  return {x.size() / x.shape()[-1], x.shape()[-1]};
}

}  // namespace avs
