// A gradient that nobody needs is not computed.
#include "tests/emulation/gpu.h"
#include "tests/op_case.h"

namespace avs {
namespace {

// The first BatchNorm of a network needs no gradient of its input: it skips the pass that writes dx and the memory for
// it; the gradients of gamma and beta have the same bits.
TEST(Needs, BatchNormComputesNoGradientOfAnInputThatNeedsNone) {
  for (const Device device : {kCpu, kGpu})
    for (const Moments moments : {Moments::OfBatch, Moments::Running}) {
      const Shape shape{6000, 8};
      const Tensor x = random_tensor(shape, 1, DType::F32, device), dy = random_tensor(shape, 2, DType::F32, device);
      const auto run = [&](bool needed) {
        const Variable gamma(random_tensor({8}, 3, DType::F32, device), true),
            beta(random_tensor({8}, 4, DType::F32, device), true), input(x, needed);
        const RunningMoments running{Tensor::zeros({8}, DType::F32, device), Tensor::full({8}, 1, device)};
        const Variable y =
            batch_norm({input}, gamma, beta, {}, running, {.activation = Activation::Relu, .moments = moments});
        context(device).reset_peak();
        const size_t before = context(device).memory().peak_bytes;
        y.backward(dy);
        const size_t taken = context(device).memory().peak_bytes - before;
        EXPECT_EQ(input.grad().defined(), needed);
        if (moments == Moments::OfBatch) {
          EXPECT_EQ(taken >= x.bytes(), needed) << taken << " bytes on " << device;
        }
        return std::pair{gamma.grad().to_vector(), beta.grad().to_vector()};
      };
      EXPECT_EQ(run(true), run(false));
    }
}

}  // namespace
}  // namespace avs
