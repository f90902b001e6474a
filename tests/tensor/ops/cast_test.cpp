#include "tensor/ops/cast.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/cast.h"

namespace avs {
namespace {

// Every magnitude from f16's subnormals to beyond its largest value, including ties.
Vector values_of_all_sizes() {
  Vector v = {0.0,     1.0,     -1.0,    65504.0,    65519.0,    65520.0,  1e30,        1 + 0x1p-11, 1 + 0x3p-11,
              0x1p-24, 0x1p-25, 0x3p-25, 1 + 0x1p-8, 1 + 0x3p-8, -0x1p-14, 0x1.ffcp-15, INFINITY,    -INFINITY};
  Rng rng(5);
  for (int i = 0; i < 50000; ++i)
    v.push_back(
        static_cast<double>(static_cast<float>(std::ldexp(rng.normal(), static_cast<int>(rng.below(50)) - 30))));
  return v;
}

TEST(Cast, RoundsToNearestEvenLikeTheOracle) {
  const Vector x = values_of_all_sizes();
  Vector halves, brains;
  for (const double v : x) {
    halves.push_back(reference::to_half(v));
    brains.push_back(reference::to_brain(v));
  }
  const Shape shape{static_cast<int64_t>(x.size())};
  for (const Device device : devices()) {
    EXPECT_EQ(to_double(ops::cast(to_tensor(x, shape, device), DType::F16)), halves) << device;
    EXPECT_EQ(to_double(ops::cast(to_tensor(x, shape, device), DType::BF16)), brains) << device;
  }
}

TEST(Cast, ThereAndBackIsTheIdentityForEveryHalf) {
  Tensor x = Tensor::empty({1 << 16}, DType::F16);
  for (int i = 0; i < 1 << 16; ++i) x.data<f16>()[i].bits = static_cast<uint16_t>(i);
  for (const Device device : devices()) {
    const Tensor wide_there = ops::cast(x.to(device), DType::F32);
    const Tensor wide = wide_there.to(kCpu), back = ops::cast(wide_there, DType::F16).to(kCpu);
    for (int i = 0; i < 1 << 16; ++i) {
      const float expected = static_cast<float>(x.data<f16>()[i]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(wide.data<float>()[i]) && std::isnan(static_cast<float>(back.data<f16>()[i]))) << i;
      } else {
        ASSERT_EQ(wide.data<float>()[i], expected) << i << " on " << device;
        ASSERT_EQ(back.data<f16>()[i].bits, i) << device;
      }
    }
  }
}

TEST(Cast, KeepsNaNWhosePayloadTheShortTypesCut) {
  for (const Device device : devices()) {
    const Tensor x = Tensor::full({33}, std::bit_cast<float>(0x7f800001u), device);
    for (const DType dtype : {DType::F16, DType::BF16})
      for (const double v : to_double(ops::cast(x, dtype))) EXPECT_TRUE(std::isnan(v)) << dtype << " on " << device;
  }
}

TEST(Cast, ReadsPixelsAndLabels) {
  const std::vector<uint8_t> pixels = {0, 7, 255};
  const std::vector<int32_t> labels = {-3, 0, 1 << 20}, nine_bits = {257};  // bf16 has eight bits: a tie rounds to even
  for (const Device device : devices()) {
    const auto cast = [&](const auto& values, DType dtype) {
      return to_double(
          ops::cast(Tensor::from({static_cast<int64_t>(values.size())}, std::span(values), device), dtype));
    };
    EXPECT_EQ(cast(pixels, DType::F32), (Vector{0, 7, 255}));
    EXPECT_EQ(cast(labels, DType::F32), (Vector{-3, 0, 1 << 20}));
    EXPECT_EQ(cast(pixels, DType::BF16), (Vector{0, 7, 255}));
    EXPECT_EQ(cast(nine_bits, DType::BF16), (Vector{256}));
  }
}

// A view that begins in the middle of a vector uses the scalar kernel and gives the same values.
TEST(Cast, ReadsViewsThatBeginAnywhere) {
  const Vector x = reference::random_vector(1000, 9);
  for (const Device device : devices()) {
    const Tensor part = to_tensor(x, {1000}, device).view(3, {900});
    const Vector expected(x.begin() + 3, x.begin() + 903);
    EXPECT_LT(relative_error(to_double(ops::cast(part, DType::F16)), expected), 1e-3) << device;
  }
}

TEST(Cast, ToTheSameTypeIsTheSameTensor) {
  const Tensor x = Tensor::full({3}, 1.0f);
  EXPECT_EQ(ops::cast(x, DType::F32).raw(), x.raw());
}

TEST(Cast, RefusesToRoundToIntegers) {
  EXPECT_THAT(error_of<ShapeError>([] { ops::cast(Tensor::zeros({3}), DType::U8); }),
              testing::HasSubstr("cast: f32 to u8 would lose values"));
}

}  // namespace
}  // namespace avs
