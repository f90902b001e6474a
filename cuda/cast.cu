// Conversions on CUDA: memory bound, one element read and one written (6 bytes between f32 and the 16-bit types).
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/cast.h"

namespace avs::cuda {
namespace {

struct Same {
  __device__ float operator()(float x) const { return x; }
};

template <typename From>
void cast_from(const Tensor& x, Tensor& y) {
  for_floating("cast", y.dtype(), [&]<typename To>() {
    map_elements("cast", x.size(), x.device(), Same{}, y.data<To>(), x.data<From>());
  });
}

}  // namespace

void cast(const Tensor& x, Tensor& y) {
  switch (x.dtype()) {
    case DType::F32: return cast_from<float>(x, y);
    case DType::F16: return cast_from<f16>(x, y);
    case DType::BF16: return cast_from<bf16>(x, y);
    case DType::I32: return cast_from<int32_t>(x, y);
    case DType::U8: return cast_from<uint8_t>(x, y);
  }
}

}  // namespace avs::cuda
