#include "tensor/ops/mixup.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check_index(const Tensor& x, const char* name, const Tensor& index) {
  AVS_CHECK(ShapeError, index.defined() && index.dtype() == DType::I32 && index.shape().rank() == 1, "mixup: ", name,
            " must be i32 [m], got ", index.defined() ? str(index.dtype(), " ", index.shape()) : "an undefined tensor");
  AVS_CHECK(ShapeError, index.device() == x.device(), "mixup: x is on ", x.device(), " but ", name, " is on ",
            index.device());
  if (index.device().is_cuda()) return;  // looking would make every step wait for the device
  for (int64_t i = 0; i < index.size(); ++i) {
    const int32_t row = index.data<int32_t>()[i];
    AVS_CHECK(ShapeError, row >= 0 && row < x.shape()[0], "mixup: ", name, "[", i, "] is ", row, ", x ", x.shape(),
              " has ", x.shape()[0], " samples");
  }
}

}  // namespace

Tensor mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda) {
  AVS_CHECK(ShapeError, x.defined() && x.shape().rank() >= 1 && (x.dtype() == DType::F32 || x.dtype() == DType::U8),
            "mixup: x must be f32 or u8 with at least one axis, got ",
            x.defined() ? str(x.dtype(), " ", x.shape()) : "an undefined tensor");
  check_index(x, "first", first);
  check_index(x, "second", second);
  check_f32("mixup", "lambda", lambda);
  AVS_CHECK(ShapeError, first.shape() == second.shape() && first.shape() == lambda.shape(), "mixup: first is ",
            first.shape(), ", second is ", second.shape(), ", lambda is ", lambda.shape(), "; they must agree");
  Tensor y = Tensor::empty(x.shape().with(0, first.size()), DType::F32, x.device());
  x.device().is_cuda() ? cuda::mixup(x, first, second, lambda, y) : cpu::mixup(x, first, second, lambda, y);
  return y;
}

}  // namespace avs::ops
