// The choice between cuDNN and our own kernels and among cuDNN's engines, and the arguments that cuDNN gets: an
// emulated library checks them.
#include "tests/emulation/cudnn.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include "cuda/api.h"
#include "cuda/plan_file.h"
#include "tensor/ops/add.h"
#include "tensor/ops/cast.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/machine.h"
#include "tests/emulation/runtime.h"
#include "tests/op_case.h"
#include "tests/reference/conv2d.h"

namespace avs {
namespace {

// The file that stores timed choices: belongs to this process and is removed when it ends.
const std::filesystem::path& remembered() {
  static const struct File {
    std::filesystem::path path = std::filesystem::temp_directory_path() / str("avs_cudnn_", getpid(), ".tsv");
    File() { setenv("AVS_PLANS", path.c_str(), 1); }
    ~File() { std::filesystem::remove(path); }
  } file;
  return file.path;
}

class CudnnStandIn : public testing::Test {
 protected:
  CudnnStandIn() {
    remembered();
    emulation::set_cudnn(emulation::Cudnn::Loops);
  }
  ~CudnnStandIn() override { emulation::set_cudnn(emulation::Cudnn::Missing); }

  // Runs all three directions; returns how many cuDNN computed.
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
  convolve({1, 5, 6, 8}, {16, 3, 3, 8}, {.padding = Padding::all(1)}, DType::F32);  // each engine is tried first
  convolve({2, 5, 6, 8}, {16, 1, 4, 8}, {.stride_w = 2, .padding = Padding::same(1, 4)}, DType::BF16);
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

TEST_F(CudnnStandIn, LeavesTensorsThatDoNotLieOnSixteenBytesToOurKernels) {
  const int64_t before = emulation::convolutions_by_cudnn();
  const Tensor x = to_tensor(reference::random_vector(2 * 4 * 4 * 9, 1), {2, 4, 4, 9}, kGpu).view(1, {1, 4, 4, 9});
  const Tensor w = to_tensor(reference::random_vector(9, 2), {1, 1, 1, 9}, kGpu);
  ops::conv2d(x, w, {}, {});
  EXPECT_EQ(emulation::convolutions_by_cudnn(), before);
}

TEST_F(CudnnStandIn, IsTimedOnceAndTheFastestEngineThatCanBeBuiltIsRemembered) {
  emulation::set_cudnn(emulation::Cudnn::Choice);
  const Tensor x = random_tensor({1, 3, 7, 8}, 1, DType::F32, kGpu),
               w = random_tensor({4, 3, 3, 8}, 2, DType::F32, kGpu);
  const Conv2dSpec spec{.padding = Padding::all(1)};
  const Tensor first = ops::conv2d(x, w, {}, spec);
  EXPECT_EQ(emulation::last_engine_of_cudnn(), "eng3_loops");
  std::ifstream in(remembered());
  std::stringstream lines;
  lines << in.rdbuf();
  EXPECT_THAT(lines.str(), testing::HasSubstr("conv2d forward f32 x [1, 3, 7, 8] w [4, 3, 3, 8]"));
  EXPECT_THAT(lines.str(), testing::HasSubstr("timing 2 cudnn 91900 ")) << "choices of the first way are not read";
  EXPECT_THAT(lines.str(), testing::EndsWith("\teng3_loops\n"));
  const int64_t before = emulation::convolutions_by_cudnn();
  EXPECT_EQ(ops::conv2d(x, w, {}, spec).to_vector(), first.to_vector());
  EXPECT_EQ(emulation::convolutions_by_cudnn() - before, 1);
}

// A run shorter than a launch is timed as many runs behind filler work: 1 + 1 + 2 * 8 runs of each of the two engines
// that can be built, while the device does nothing else.
TEST_F(CudnnStandIn, ShortRunsAreTimedInARow) {
  emulation::set_cudnn(emulation::Cudnn::Choice);
  const Tensor x = random_tensor({1, 4, 9, 8}, 1, DType::F32, kGpu),
               w = random_tensor({4, 1, 3, 8}, 2, DType::F32, kGpu);
  const int64_t before = emulation::convolutions_by_cudnn();
  ops::conv2d(x, w, {}, {});
  EXPECT_EQ(emulation::convolutions_by_cudnn() - before, 2 * (1 + 1 + 2 * 8) + 1);
  EXPECT_EQ(emulation::last_engine_of_cudnn(), "eng3_loops");
}

TEST_F(CudnnStandIn, WhoeverListensIsToldThatEnginesAreBeingChosen) {
  emulation::set_cudnn(emulation::Cudnn::Choice);
  std::vector<std::string> notices;
  cuda::on_notice([&](const std::string& notice) { notices.push_back(notice); });
  const auto convolve = [](int64_t width) {
    ops::conv2d(random_tensor({1, 4, width, 8}, 1, DType::F32, kGpu), random_tensor({4, 1, 3, 8}, 2, DType::F32, kGpu),
                {}, {});
  };
  convolve(11);
  ASSERT_EQ(notices.size(), 1u);
  convolve(11);  // chosen already
  cuda::on_notice({});
  convolve(12);  // there is no receiver
  EXPECT_EQ(notices.size(), 1u);
  EXPECT_THAT(notices[0], testing::StartsWith("choosing convolution engines by time ("));
  EXPECT_THAT(notices[0], testing::HasSubstr(remembered().string()));
}

// If cuDNN cannot build or time an engine, another engine or our own kernel convolves. If the chosen engine or the making
// of a handle fails, a DeviceError says which, and the next convolution works.
TEST_F(CudnnStandIn, AFailureOfAnyCallIsPassedOverOrNamesTheConvolution) {
  emulation::set_cudnn(emulation::Cudnn::Choice);
  constexpr int kFailed = emulation::kCudnnExecutionFailed;
  int64_t width = 20;  // a new shape each time
  const auto convolve_once = [&](int64_t w) {
    const Tensor x = random_tensor({1, 3, w, 8}, 1, DType::F32, kGpu),
                 filter = random_tensor({4, 1, 3, 8}, 2, DType::F32, kGpu);
    const Vector y = to_double(ops::conv2d(x, filter, {}, {}));
    const Vector expected = reference::conv2d(to_double(x), as_nhwc({1, 3, w, 8}), to_double(filter),
                                              as_krsc({4, 1, 3, 8}), {}, Conv2dSpec{});
    EXPECT_LT(relative_error(y, expected), 1e-6) << emulation::last_fault();
  };
  const auto by_cudnn = [&](const char* function, int after) {
    emulation::set_fault({function, after, kFailed});
    const int64_t before = emulation::convolutions_by_cudnn();
    convolve_once(++width);
    EXPECT_EQ(emulation::last_fault(), function);
    return emulation::convolutions_by_cudnn() - before;
  };
  EXPECT_EQ(by_cudnn("cudnnBackendFinalize", 0), 0) << "no graph: our own kernel";
  EXPECT_GT(by_cudnn("cudnnBackendFinalize", 2), 0) << "the slow engine could not be built";
  EXPECT_EQ(emulation::last_engine_of_cudnn(), "eng3_loops");
  EXPECT_GT(by_cudnn("cudnnBackendExecute", 0), 0) << "an engine failed while it was timed";
  const auto message = [&](const char* function) {
    emulation::set_fault({function, 0, kFailed});
    return error_of<DeviceError>([&] { convolve_once(width); });
  };
  EXPECT_THAT(message("cudnnBackendExecute"),
              testing::HasSubstr(str("cuDNN: CUDNN_STATUS_EXECUTION_FAILED in conv2d forward f32 x [1, 3, ", width)));
  convolve_once(width);
  emulation::set_cudnn(emulation::Cudnn::Choice);
  ++width;
  EXPECT_THAT(message("cudnnCreate"), testing::HasSubstr("CUDNN_STATUS_EXECUTION_FAILED (making a handle)"));
  convolve_once(width);
  emulation::set_fault({});
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
