#include "tensor/ops/add.h"

#include "tests/op_case.h"
#include "tests/reference/add.h"
#include "tests/reference/gelu.h"

namespace avs {
namespace {

OpCase add_case(Shape shape) {
  return {str("add ", shape),
          {shape, shape},
          [](const auto& v) { return add(v[0], v[1]); },
          [](const auto& x) { return reference::add(x[0], x[1]); }};
}

TEST(Add, MatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1}, Shape{31}, Shape{2, 3, 3, 5}}) check_op(add_case(shape), device);
}

TEST(Add, CoversEveryElementOfALargeTensor) {
  const int64_t n = 132 * 8 * 256 + 17;
  const Vector a = reference::random_vector(n, 3), b = reference::random_vector(n, 4);
  for (const Device device : devices())
    EXPECT_LT(
        relative_error(to_double(ops::add(to_tensor(a, {n}, device), to_tensor(b, {n}, device))), reference::add(a, b)),
        1e-6);
}

TEST(Add, IntoAddsInPlaceAndSeesViews) {
  for (const Device device : devices()) {
    Tensor a = Tensor::full({4, 2}, 1.0f, device);
    Tensor middle = a.rows(1, 2);
    ops::add_into(middle, Tensor::full({2, 2}, 2.0f, device));
    EXPECT_EQ(to_double(a), (Vector{1, 1, 3, 3, 3, 3, 1, 1})) << device;
  }
}

TEST(Add, WorksOnShortTypes) {
  for (const auto& [device, dtype] : short_types())
    for (const int64_t n : {24, 1003}) {
      const Tensor a = to_short(reference::random_vector(n, 3), {n}, device, dtype);
      const Tensor b = to_short(reference::random_vector(n, 4), {n}, device, dtype);
      const Tensor y = ops::add(a, b);
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_LT(relative_error(to_double(y), reference::add(to_double(a), to_double(b))), 3e-3) << dtype;
    }
}

// add passes one dy tensor to two inputs, and x receives three gradients: none may be overwritten.
TEST(Add, GradientsOfASharedInputAddUp) {
  check_op({"gelu(x) + x + gelu(x)",
            {{7}},
            [](const auto& v) { return add(add(gelu(v[0]), v[0]), gelu(v[0])); },
            [](const auto& x) {
              return reference::add(reference::add(reference::gelu(x[0]), x[0]), reference::gelu(x[0]));
            }},
           kCpu);
}

TEST(Add, RefusesOtherShapesAndTypes) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::add(Tensor::zeros({2, 3}), Tensor::zeros({3, 2}));
              }),
              testing::HasSubstr("add: a is [2, 3] but b is [3, 2]"));
  EXPECT_THAT(error_of<ShapeError>([] { ops::add(Tensor::zeros({2}), Tensor::zeros({2}, DType::U8)); }),
              testing::HasSubstr("add: a holds f32 but b holds u8"));
  EXPECT_THAT(error_of<ShapeError>([] { ops::add(Tensor::zeros({2}), Tensor()); }),
              testing::HasSubstr("add: b is undefined"));
}

}  // namespace
}  // namespace avs
