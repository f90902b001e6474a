#include "tensor/ops/mixup.h"

#include "tensor/check.h"

namespace avs {

MixupPlan MixupPlan::to(Device device) const {
  return defined() ? MixupPlan{first.to(device), second.to(device), lambda.to(device)} : MixupPlan{};
}

void MixupPlan::copy_from(const MixupPlan& plan) {
  first.copy_from(plan.first);
  second.copy_from(plan.second);
  lambda.copy_from(plan.lambda);
}

namespace ops {
namespace {

void check_index(const char* op, const Tensor& x, const char* name, const Tensor& index) {
  AVS_CHECK(ShapeError, index.defined() && index.dtype() == DType::I32 && index.shape().rank() == 1, op, ": ", name,
            " must be i32 [m], got ", index.defined() ? str(index.dtype(), " ", index.shape()) : "an undefined tensor");
  check_same_device(op, {{"x", x}, {name, index}});
  if (index.device().is_cuda()) return;  // looking would make every step wait for the device
  for (int64_t i = 0; i < index.size(); ++i) {
    const int32_t row = index.data<int32_t>()[i];
    AVS_CHECK(ShapeError, row >= 0 && row < x.shape()[0], op, ": ", name, "[", i, "] is ", row, ", x ", x.shape(),
              " has ", x.shape()[0], " samples");
  }
}

}  // namespace

void check_plan(const char* op, const Tensor& x, const MixupPlan& plan) {
  check_index(op, x, "first", plan.first);
  check_index(op, x, "second", plan.second);
  check_f32(op, "lambda", plan.lambda);
  check_same_device(op, {{"x", x}, {"lambda", plan.lambda}});
  AVS_CHECK(ShapeError, plan.first.shape() == plan.second.shape() && plan.first.shape() == plan.lambda.shape(), op,
            ": first is ", plan.first.shape(), ", second is ", plan.second.shape(), ", lambda is ", plan.lambda.shape(),
            "; they must agree");
}

Tensor mixup(const Tensor& x, const MixupPlan& plan) {
  check_f32("mixup", "x", x);
  AVS_CHECK(ShapeError, x.shape().rank() >= 1, "mixup: x must have at least one axis, got ", x.shape());
  check_plan("mixup", x, plan);
  Tensor y = Tensor::empty(x.shape().with(0, plan.rows()), DType::F32, x.device());
  x.device().is_cuda() ? cuda::mixup(x, plan, y) : cpu::mixup(x, plan, y);
  return y;
}

Tensor mixup_backward(const Tensor& dy, const MixupPlan& plan, int64_t n) {
  check_f32("mixup_backward", "dy", dy);
  AVS_CHECK(ShapeError, plan.defined() && dy.shape().rank() >= 1 && n >= 0 && dy.shape()[0] == plan.rows(),
            "mixup_backward: dy is ", dy.shape(), " of ", n, " rows, lambda is ",
            plan.defined() ? str(plan.lambda.shape()) : "undefined");
  Tensor dx = Tensor::empty(dy.shape().with(0, n), DType::F32, dy.device());
  check_plan("mixup_backward", dx, plan);
  dy.device().is_cuda() ? cuda::mixup_backward(dy, plan, dx) : cpu::mixup_backward(dy, plan, dx);
  return dx;
}

}  // namespace ops
}  // namespace avs
