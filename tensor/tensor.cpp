#include "tensor/tensor.h"

#include <algorithm>
#include <limits>

#include "cuda/api.h"
#include "tensor/holders.h"

namespace avs {
namespace {

// Debug and sanitizer builds fill new memory with NaN, so that reading it uninitialised is visible. NDEBUG cannot
// select this: the Release build leaves it undefined to keep its assertions.
#if defined(__OPTIMIZE__) && !defined(AVS_SANITIZED)
constexpr bool kPoison = false;
#else
constexpr bool kPoison = true;
#endif

template <typename T>
Tensor from_span(Shape shape, std::span<const T> values, Device device) {
  AVS_CHECK(ShapeError, static_cast<int64_t>(values.size()) == shape.size(), "a tensor of shape ", shape, " has ",
            shape.size(), " elements, got ", values.size());
  Tensor t = Tensor::empty(shape, dtype_of<T>(), device);
  context(device).copy_from_host(t.raw(), values.data(), t.bytes());
  return t;
}

}  // namespace

Storage::Storage(Device device, size_t bytes) : device_(device), bytes_(bytes) {
  try {
    data_ = static_cast<std::byte*>(context(device).allocate(bytes));
  } catch (OutOfMemory& error) {
    if (const std::string holders = describe_holders(device); !holders.empty()) error.add_context("held by " + holders);
    throw;
  }
  ledger::enter(data_, device, bytes);
}

Storage::~Storage() {
  ledger::leave(data_);
  context(device_).deallocate(data_, bytes_);
}

Tensor Tensor::empty(Shape shape, DType dtype, Device device) {
  Tensor t;
  t.shape_ = shape;
  t.dtype_ = dtype;
  t.storage_ = std::make_shared<Storage>(device, t.bytes());
  if (kPoison && !device.is_cuda() && (dtype == DType::F32 || dtype == DType::BF16 || dtype == DType::F16))
    t.fill(std::numeric_limits<float>::quiet_NaN());
  return t;
}

Tensor Tensor::zeros(Shape shape, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  t.zero();
  return t;
}

Tensor Tensor::full(Shape shape, float value, Device device) {
  Tensor t = empty(shape, DType::F32, device);
  t.fill(value);
  return t;
}

Tensor Tensor::from(Shape shape, std::span<const float> values, Device device) {
  return from_span(shape, values, device);
}
Tensor Tensor::from(Shape shape, std::span<const int32_t> values, Device device) {
  return from_span(shape, values, device);
}
Tensor Tensor::from(Shape shape, std::span<const uint8_t> values, Device device) {
  return from_span(shape, values, device);
}

Device Tensor::device() const {
  AVS_CHECK(ShapeError, defined(), "an undefined tensor has no device");
  return storage_->device();
}

Tensor Tensor::reshape(Shape shape) const {
  AVS_CHECK(ShapeError, shape.size() == size(), "reshape: ", shape_, " has ", size(), " elements, ", shape, " has ",
            shape.size());
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

Tensor Tensor::rows(int64_t first, int64_t count) const {
  AVS_CHECK(ShapeError, shape_.rank() >= 1 && first >= 0 && count >= 0 && first + count <= shape_[0], "rows ", first,
            " to ", first + count, " of ", shape_);
  const int64_t row = shape_[0] == 0 ? 0 : size() / shape_[0];
  return view(first * row, shape_.with(0, count));
}

Tensor Tensor::view(int64_t first_element, Shape shape) const {
  AVS_CHECK(ShapeError, first_element >= 0 && first_element + shape.size() <= size(), "view: elements ", first_element,
            " to ", first_element + shape.size(), " of ", shape_);
  Tensor t = *this;
  t.offset_ += static_cast<size_t>(first_element) * size_of(dtype_);
  t.shape_ = shape;
  return t;
}

Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor t = empty(shape_, dtype_, device);
  if (device.is_cuda() && !this->device().is_cuda()) {
    context(device).copy_from_host(t.raw(), raw(), bytes());
  } else if (!device.is_cuda()) {
    context(this->device()).copy_to_host(t.raw(), raw(), bytes());
  } else {
    return to(kCpu).to(device);  // between two GPUs: rare, so through the host
  }
  return t;
}

Tensor Tensor::clone() const {
  Tensor t = empty(shape_, dtype_, device());
  t.copy_from(*this);
  return t;
}

void Tensor::copy_from(const Tensor& other) {
  AVS_CHECK(ShapeError, shape_ == other.shape_ && dtype_ == other.dtype_, "copy_from: ", shape_, " ", dtype_, " from ",
            other.shape_, " ", other.dtype_);
  if (device() == other.device()) {
    context(device()).copy_on_device(raw(), other.raw(), bytes());
  } else if (device().is_cuda() && other.device().is_cuda()) {  // between two GPUs: rare, so through the host
    const Tensor host = other.to(kCpu);
    context(device()).copy_from_host(raw(), host.raw(), bytes());
  } else if (device().is_cuda()) {
    context(device()).copy_from_host(raw(), other.raw(), bytes());
  } else {
    context(other.device()).copy_to_host(raw(), other.raw(), bytes());
  }
}

void Tensor::fill(float value) {
  if (device().is_cuda()) return cuda::fill(*this, value);
  switch (dtype_) {
    case DType::F32: std::fill_n(data<float>(), size(), value); return;
    case DType::BF16: std::fill_n(data<bf16>(), size(), bf16(value)); return;
    case DType::F16: std::fill_n(data<f16>(), size(), f16(value)); return;
    default: throw ShapeError(str("fill: expected a floating type, got ", dtype_));
  }
}

void Tensor::zero() { context(device()).fill_zero(raw(), bytes()); }

std::vector<float> Tensor::to_vector() const {
  const Tensor host = to(kCpu);
  std::vector<float> values(static_cast<size_t>(size()));
  const auto widen = [&]<typename T>(const T* from) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(from[i]);
  };
  switch (dtype_) {
    case DType::F32: widen(host.data<float>()); break;
    case DType::F16: widen(host.data<f16>()); break;
    case DType::BF16: widen(host.data<bf16>()); break;
    case DType::I32: widen(host.data<int32_t>()); break;
    case DType::U8: widen(host.data<uint8_t>()); break;
  }
  return values;
}

float Tensor::item() const {
  AVS_CHECK(ShapeError, size() == 1, "item: one element expected, got ", shape_);
  return to_vector()[0];
}

void Tensor::check_type(DType asked) const {
  AVS_CHECK(ShapeError, defined(), "data() of an undefined tensor");
  AVS_CHECK(ShapeError, dtype_ == asked, "the tensor holds ", dtype_, ", ", asked, " was asked for");
}

}  // namespace avs
