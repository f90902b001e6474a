// A dense tensor: shared memory, a shape and a type. Copying a Tensor copies a handle; clone() copies the elements.
// There are no strides: matrix products read either order, and a view is always a contiguous piece of its storage.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tensor/context.h"
#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/error.h"
#include "tensor/no_copy.h"
#include "tensor/shape.h"

namespace avs {

// One allocation; its device's memory pool gets it back when the last tensor that uses it is destroyed.
class Storage : NoCopy {
 public:
  Storage(Device device, size_t bytes);
  ~Storage();

  Device device() const { return device_; }
  std::byte* data() const { return data_; }

 private:
  Device device_;
  size_t bytes_;
  std::byte* data_;
};

class Tensor {
 public:
  Tensor() = default;  // an undefined tensor

  static Tensor empty(Shape shape, DType dtype = DType::F32, Device device = kCpu);  // NaN-filled in debug builds
  static Tensor zeros(Shape shape, DType dtype = DType::F32, Device device = kCpu);
  static Tensor full(Shape shape, float value, Device device = kCpu);
  static Tensor from(Shape shape, std::span<const float> values, Device device = kCpu);
  static Tensor from(Shape shape, std::span<const int32_t> values, Device device = kCpu);
  static Tensor from(Shape shape, std::span<const uint8_t> values, Device device = kCpu);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t size() const { return shape_.size(); }
  DType dtype() const { return dtype_; }
  Device device() const;
  size_t bytes() const { return static_cast<size_t>(size()) * size_of(dtype_); }
  bool is_unique() const { return storage_.use_count() == 1; }  // no other handle sees a write

  template <typename T>
  T* data() {
    check_type(dtype_of<T>());
    return reinterpret_cast<T*>(storage_->data() + offset_);
  }
  template <typename T>
  const T* data() const {
    check_type(dtype_of<T>());
    return reinterpret_cast<const T*>(storage_->data() + offset_);
  }
  void* raw() { return storage_->data() + offset_; }
  const void* raw() const { return storage_->data() + offset_; }

  Tensor reshape(Shape shape) const;                      // shares memory
  Tensor rows(int64_t first, int64_t count) const;        // shares memory: a slice of axis 0
  Tensor view(int64_t first_element, Shape shape) const;  // shares memory: parameters may be in one arena
  Tensor to(Device device) const;                         // *this if already there
  Tensor clone() const;
  void copy_from(const Tensor& other);  // same shape and type; copies elements, not the handle
  void fill(float value);               // f32, f16, bf16
  void zero();
  std::vector<float> to_vector() const;  // converts to f32; waits for the device
  float item() const;                    // the only element, as f32; waits for the device

 private:
  void check_type(DType asked) const;

  std::shared_ptr<Storage> storage_;
  size_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = DType::F32;
};

}  // namespace avs
