// Does the emulation find what it promises to? A sound kernel passes in every order; each copy of it with a planted
// fault ends in a finding that says what is wrong, in which kernel, on which line, in which block and thread.
#include <algorithm>

#include "cuda/api.h"
#include "tests/emulation/faults/faults.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/machine.h"
#include "tests/op_case.h"

namespace avs {
namespace {

constexpr int64_t kRows = 4, kColumns = 77;

class Findings : public testing::Test {
 protected:
  void TearDown() override { emulation::set_order(emulation::Order::Forward); }
  const Vector values_ = reference::random_vector(kRows * kColumns, 1);
  const Tensor x_ = to_tensor(values_, {kRows, kColumns}, kGpu);
  Tensor y_ = Tensor::zeros({kRows * kColumns}, DType::F32, kGpu);
};

TEST_F(Findings, NoneInASoundKernelInAnyOrder) {
  for (const auto order : {emulation::Order::Forward, emulation::Order::Reverse, emulation::Order::Shuffled}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      emulation::set_order(order, seed);
      faults::row_sums(x_, y_);
      const Vector y = to_double(y_);
      for (int64_t row = 0; row < kRows; ++row) {
        double sum = 0;
        for (int64_t c = 0; c < kColumns; ++c) sum += values_[static_cast<size_t>(row * kColumns + c)];
        EXPECT_NEAR(y[static_cast<size_t>(row)], sum, 1e-5);
      }
    }
  }
}

TEST_F(Findings, NameEveryPlantedFaultInEveryOrder) {
  for (const faults::Fault& fault : std::ranges::subrange(faults::begin(), faults::end())) {
    for (const auto order : {emulation::Order::Forward, emulation::Order::Reverse, emulation::Order::Shuffled}) {
      SCOPED_TRACE(str(fault.name, ", order ", static_cast<int>(order)));
      emulation::set_order(order, 5);
      const std::string found = error_of<emulation::Finding>([&] { fault.run(x_, y_); });
      EXPECT_THAT(found, testing::HasSubstr(fault.finding));
      EXPECT_THAT(found, testing::MatchesRegex("kernel \\w+_kernel, .*(faults\\.cu|device\\.cuh):[0-9]+.*thread.*"))
          << found;
      EXPECT_THAT(found, testing::HasSubstr("block ("));
    }
  }
}

TEST_F(Findings, AreNotLostBehindThem) {  // the device works on after a finding
  error_of<emulation::Finding>([&] { faults::begin()->run(x_, y_); });
  faults::row_sums(x_, y_);
  EXPECT_TRUE(std::isfinite(to_double(y_)[0]));
}

TEST_F(Findings, SayThatATensorWasGivenBack) {
  Tensor gone = Tensor::zeros({kRows, kColumns}, DType::F32, kGpu);
  const Tensor alias = Tensor(gone);
  const float* const data = alias.data<float>();
  EXPECT_NE(data, nullptr);
  cuda::context(kGpu).deallocate(gone.raw(), gone.bytes());
  EXPECT_THAT(error_of<emulation::Finding>([&] { faults::row_sums(alias, y_); }), testing::HasSubstr("was given back"));
  (void)cuda::context(kGpu).allocate(gone.bytes());  // the handle gives it back once more
}

}  // namespace
}  // namespace avs
