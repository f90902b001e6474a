// The choice between cuDNN and our own kernels, and what cuDNN is handed: a stand-in checks its arguments.
#include "tests/emulation/cudnn.h"

#include <unistd.h>

#include <fstream>

#include "cuda/plan_file.h"
#include "tensor/ops/cast.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/machine.h"
#include "tests/op_case.h"
#include "tests/reference/conv2d.h"

namespace avs {
namespace {

class CudnnStandIn : public testing::Test {
 protected:
  CudnnStandIn() { emulation::set_cudnn(emulation::Cudnn::Loops); }
  ~CudnnStandIn() override { emulation::set_cudnn(emulation::Cudnn::Missing); }

  // All three directions; returns how many of them cuDNN did.
  int64_t convolve(const Shape& xs, const Shape& ws, Conv2dSpec spec, DType dtype) {
    const int64_t before = emulation::convolutions_by_cudnn();
    const Shape ys = ops::conv2d_shape(xs, ws, spec);
    const auto rounded = [&](const Shape& shape, uint64_t seed) {
      return ops::cast(to_tensor(reference::random_vector(shape.size(), seed), shape), dtype);
    };
    const Tensor x = rounded(xs, 1), w = ops::cast(rounded(ws, 2), DType::F32), dy = rounded(ys, 3),
                 bias = to_tensor(reference::random_vector(ws[0], 4), {ws[0]});
    const double tolerance = dtype == DType::F32 ? 1e-6 : 1e-2;
    const Tensor x_there = x.to(kGpu), w_there = w.to(kGpu), dy_there = dy.to(kGpu);
    EXPECT_LT(
        relative_error(to_double(ops::conv2d(x_there, w_there, bias.to(kGpu), spec)),
                       reference::conv2d(to_double(x), as_nhwc(xs), to_double(w), as_krsc(ws), to_double(bias), spec)),
        tolerance);
    EXPECT_LT(
        relative_error(to_double(ops::conv2d_backward_input(xs, w_there, dy_there, spec)),
                       reference::conv2d_backward_input(as_nhwc(xs), to_double(w), as_krsc(ws), to_double(dy), spec)),
        tolerance);
    EXPECT_LT(
        relative_error(to_double(ops::conv2d_backward_filter(x_there, ws, dy_there, spec)),
                       reference::conv2d_backward_filter(to_double(x), as_nhwc(xs), to_double(dy), as_krsc(ws), spec)),
        tolerance);
    return emulation::convolutions_by_cudnn() - before;
  }
};

TEST_F(CudnnStandIn, ConvolvesWhereItHasAnEngine) {
  EXPECT_EQ(convolve({1, 5, 6, 8}, {16, 3, 3, 8}, {.padding = Padding::all(1)}, DType::F32), 3);
  EXPECT_EQ(convolve({2, 5, 6, 8}, {16, 1, 4, 8}, {.stride_w = 2, .padding = Padding::same(1, 4)}, DType::BF16), 3);
}

TEST_F(CudnnStandIn, LeavesWhatItHasNoEngineForToOurKernels) {
  EXPECT_EQ(convolve({1, 5, 6, 3}, {16, 3, 3, 3}, {.padding = Padding::all(1)}, DType::F16), 0);
}

TEST_F(CudnnStandIn, IsNotAskedWhereThereIsNoCudnn) {
  emulation::set_cudnn(emulation::Cudnn::Missing);
  EXPECT_EQ(convolve({1, 5, 6, 8}, {16, 3, 3, 8}, {.padding = Padding::all(1)}, DType::F32), 0);
}

TEST_F(CudnnStandIn, ChecksItsArguments) {
  const Tensor x = to_tensor(reference::random_vector(2 * 4 * 4 * 9, 1), {2, 4, 4, 9}, kGpu).view(1, {1, 4, 4, 9});
  const Tensor w = to_tensor(reference::random_vector(9, 2), {1, 1, 1, 9}, kGpu);
  EXPECT_THAT(error_of<emulation::Finding>([&] { ops::conv2d(x, w, {}, {}); }),
              testing::HasSubstr("not aligned to 16 bytes"));
}

// ---- the file of plans ----

class PlanFileTest : public testing::Test {
 protected:
  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / str("avs_plans_", getpid());
  const std::filesystem::path path_ = folder_ / "new" / "plans.tsv";
  ~PlanFileTest() override { std::filesystem::remove_all(folder_); }
};

TEST_F(PlanFileTest, RemembersBetweenRunsAndTheLastWordWins) {
  cuda::PlanFile first(path_);
  EXPECT_EQ(first.find("a convolution"), std::nullopt);
  first.remember("a convolution", "eng1");
  first.remember("a convolution", "eng2");
  first.remember("another", "eng3");
  EXPECT_EQ(first.find("a convolution"), "eng2");
  cuda::PlanFile second(path_);
  EXPECT_EQ(second.find("a convolution"), "eng2");
  EXPECT_EQ(second.find("another"), "eng3");
  EXPECT_EQ(second.find("a third"), std::nullopt);
}

TEST_F(PlanFileTest, PassesOverDamagedLines) {
  cuda::PlanFile(path_).remember("good", "eng1");
  std::ofstream(path_, std::ios::app) << "no tab\n\tno beginning\nno end\t\n\x00\xff\xfe\n"
                                      << "cut off\teng";
  cuda::PlanFile read(path_);
  EXPECT_EQ(read.find("good"), "eng1");
  EXPECT_EQ(read.find("no end"), std::nullopt);
}

TEST_F(PlanFileTest, WorksWhereNothingCanBeWritten) {
  cuda::PlanFile file("/proc/no such folder/plans.tsv");
  file.remember("a", "b");
  EXPECT_EQ(file.find("a"), "b");
}

}  // namespace
}  // namespace avs
