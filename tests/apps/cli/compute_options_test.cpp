#include "apps/cli/compute_options.h"

#include "tests/op_case.h"

namespace avs {
namespace {

TEST(ComputeType, IsChosenByTheDevice) {
  constexpr Device kGpu{Device::Kind::Cuda, 0};
  EXPECT_EQ(dtype_for("auto", kCpu, 0), DType::F32);
  EXPECT_EQ(dtype_for("auto", kGpu, 75), DType::F16);
  EXPECT_EQ(dtype_for("auto", kGpu, 80), DType::BF16);
  EXPECT_EQ(dtype_for("f32", kGpu, 90), DType::F32);
  EXPECT_EQ(dtype_for("f16", kGpu, 90), DType::F16);
  EXPECT_THAT(error_of<UsageError>([] {
                dtype_for("bf16", Device{Device::Kind::Cuda, 0}, 75);
              }),
              testing::HasSubstr("compute capability 7.5, bf16 needs 8.0"));
  EXPECT_THAT(error_of<UsageError>([] { dtype_for("f16", kCpu, 0); }), testing::HasSubstr("the CPU computes in f32"));
}

}  // namespace
}  // namespace avs
