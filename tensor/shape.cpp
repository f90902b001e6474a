#include "tensor/shape.h"

#include "tensor/error.h"

namespace avs {

Shape::Shape(std::initializer_list<int64_t> extents)
    : Shape(std::span<const int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const int64_t> extents) : rank_(static_cast<int>(extents.size())) {
  AVS_CHECK(ShapeError, extents.size() <= kMaxRank, "a tensor has at most ", kMaxRank, " axes, got ", extents.size());
  for (int i = 0; i < rank_; ++i) {
    AVS_CHECK(ShapeError, extents[i] >= 0, "axis ", i, " has the negative extent ", extents[i]);
    extents_[i] = extents[i];
  }
}

int64_t Shape::size() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= extents_[i];
  return product;
}

int64_t Shape::operator[](int axis) const {
  const int i = axis < 0 ? axis + rank_ : axis;
  AVS_CHECK(ShapeError, i >= 0 && i < rank_, "axis ", axis, " of ", *this);
  return extents_[i];
}

Shape Shape::with(int axis, int64_t extent) const {
  std::vector<int64_t> e = extents();
  const int i = axis < 0 ? axis + rank_ : axis;
  AVS_CHECK(ShapeError, i >= 0 && i < rank_, "axis ", axis, " of ", *this);
  e[i] = extent;
  return Shape(std::span<const int64_t>(e));
}

std::vector<int64_t> Shape::extents() const { return {extents_.begin(), extents_.begin() + rank_}; }

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

Nhwc as_nhwc(const Shape& shape) {
  AVS_CHECK(ShapeError, shape.rank() == 4, "activations must be [n, h, w, c], got ", shape);
  return {shape[0], shape[1], shape[2], shape[3]};
}

Krsc as_krsc(const Shape& shape) {
  AVS_CHECK(ShapeError, shape.rank() == 4, "filters must be [k, r, s, c], got ", shape);
  return {shape[0], shape[1], shape[2], shape[3]};
}

}  // namespace avs
