#include "tensor/ops/cast.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/cast.h"

namespace avs {
namespace {

// Every magnitude from half's subnormals to beyond its largest value, ties included.
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
  const Tensor wide = ops::cast(x, DType::F32);
  const Tensor back = ops::cast(wide, DType::F16);
  for (int i = 0; i < 1 << 16; ++i) {
    const float expected = static_cast<float>(x.data<f16>()[i]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(wide.data<float>()[i]) && std::isnan(static_cast<float>(back.data<f16>()[i]))) << i;
    } else {
      ASSERT_EQ(wide.data<float>()[i], expected) << i;
      ASSERT_EQ(back.data<f16>()[i].bits, i);
    }
  }
}

TEST(Cast, KeepsNaNWhosePayloadTheShortTypesCut) {
  const Tensor x = Tensor::full({33}, std::bit_cast<float>(0x7f800001u));
  for (const DType dtype : {DType::F16, DType::BF16})
    for (const double v : to_double(ops::cast(x, dtype))) EXPECT_TRUE(std::isnan(v)) << dtype;
}

TEST(Cast, ReadsPixelsAndLabels) {
  const std::vector<uint8_t> pixels = {0, 7, 255};
  const std::vector<int32_t> labels = {-3, 0, 1 << 20};
  EXPECT_EQ(to_double(ops::cast(Tensor::from({3}, std::span(pixels)), DType::F32)), (Vector{0, 7, 255}));
  EXPECT_EQ(to_double(ops::cast(Tensor::from({3}, std::span(labels)), DType::F32)), (Vector{-3, 0, 1 << 20}));
  EXPECT_EQ(to_double(ops::cast(Tensor::from({3}, std::span(pixels)), DType::BF16)), (Vector{0, 7, 255}));
  const std::vector<int32_t> nine_bits = {257};  // bf16 has eight: a tie, to even
  EXPECT_EQ(to_double(ops::cast(Tensor::from({1}, std::span(nine_bits)), DType::BF16)), (Vector{256}));
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
