// The extents of a dense, row-major tensor. Memory order is axis order and there are no strides, so a kernel needs only
// a pointer and a Shape. Activations are [n, h, w, c] (NHWC), filters [k, r, s, c] (KRSC).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>
#include <vector>

namespace avs {

class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;  // rank 0: a scalar, one element
  Shape(std::initializer_list<int64_t> extents);
  explicit Shape(std::span<const int64_t> extents);

  int rank() const { return rank_; }
  int64_t size() const;                        // product of the extents
  int64_t operator[](int axis) const;          // a negative axis counts from the end: shape[-1] is the channels
  Shape with(int axis, int64_t extent) const;  // the same shape with one extent replaced
  std::vector<int64_t> extents() const;
  bool operator==(const Shape&) const = default;

 private:
  std::array<int64_t, kMaxRank> extents_ = {};
  int rank_ = 0;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);  // [8, 32, 32, 64]

struct Nhwc {
  int64_t n, h, w, c;
};  // activations
struct Krsc {
  int64_t k, r, s, c;
};  // filters: out channels, height, width, in channels per group

Nhwc as_nhwc(const Shape& shape);  // ShapeError unless rank 4
Krsc as_krsc(const Shape& shape);  // ShapeError unless rank 4

}  // namespace avs
