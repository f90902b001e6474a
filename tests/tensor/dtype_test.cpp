#include "tensor/dtype.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/cast.h"

namespace avs {
namespace {

TEST(DType, KnowsSizesAndNames) {
  EXPECT_EQ(size_of(DType::F32), 4u);
  EXPECT_EQ(size_of(DType::F16), 2u);
  EXPECT_EQ(size_of(DType::BF16), 2u);
  EXPECT_EQ(size_of(DType::I32), 4u);
  EXPECT_EQ(size_of(DType::U8), 1u);
  EXPECT_EQ(str(DType::F32, " ", DType::F16, " ", DType::BF16, " ", DType::I32, " ", DType::U8), "f32 f16 bf16 i32 u8");
}

TEST(DType, HalfOfEveryBitPatternSurvivesTheWayThroughFloat) {
  for (uint32_t i = 0; i < 1u << 16; ++i) {
    f16 half;
    half.bits = static_cast<uint16_t>(i);
    const float wide = static_cast<float>(half);
    if (std::isnan(wide)) {
      ASSERT_TRUE(std::isnan(static_cast<float>(f16(wide)))) << i;
    } else {
      ASSERT_EQ(f16(wide).bits, half.bits) << i;
    }
  }
}

TEST(DType, HalfHasItsLandmarks) {
  EXPECT_EQ(f16(1.0f).bits, 0x3c00);
  EXPECT_EQ(f16(-2.0f).bits, 0xc000);
  EXPECT_EQ(f16(65504.0f).bits, 0x7bff);    // the largest
  EXPECT_EQ(f16(65519.9f).bits, 0x7bff);    // still rounds down
  EXPECT_EQ(f16(65520.0f).bits, 0x7c00);    // infinity from here
  EXPECT_EQ(f16(0x1p-24f).bits, 0x0001);    // the smallest
  EXPECT_EQ(f16(0x1p-25f).bits, 0x0000);    // a tie, to even
  EXPECT_EQ(f16(0x1.8p-24f).bits, 0x0002);  // a tie, to even
  EXPECT_EQ(f16(-0.0f).bits, 0x8000);
  EXPECT_EQ(f16(INFINITY).bits, 0x7c00);
}

TEST(DType, HalfAndBfloatRoundToNearestEven) {
  Rng rng(3);
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<float>(std::ldexp(rng.normal(), static_cast<int>(rng.below(40)) - 25));
    ASSERT_EQ(double{static_cast<float>(f16(x))}, reference::to_half(double{x})) << x;
    ASSERT_EQ(double{static_cast<float>(bf16(x))}, reference::to_brain(double{x})) << x;
  }
}

TEST(DType, BfloatHasItsLandmarks) {
  EXPECT_EQ(bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(bf16(1.0f + 0x1p-8f).bits, 0x3f80);  // a tie, to even
  EXPECT_EQ(bf16(1.0f + 0x3p-8f).bits, 0x3f82);  // a tie, to even
  EXPECT_EQ(bf16(3.4e38f).bits, 0x7f80);         // beyond the largest: infinity
  EXPECT_TRUE(std::isnan(static_cast<float>(bf16(NAN))));
  // naive rounding would give infinity
  EXPECT_TRUE(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace avs
