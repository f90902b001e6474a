// Parallel branches on the emulated device are streams, and accesses without an event between them are races: so a
// missing wait for the fork, a missing join, or memory that is reused too early is found.
#include "tensor/lanes.h"

#include "cuda/api.h"
#include "layers/optim/adam.h"
#include "models/residual_inception.h"
#include "tensor/ops/add.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/machine.h"
#include "tests/emulation/runtime.h"
#include "tests/op_case.h"

namespace avs {
namespace {

constexpr int64_t kCount = 3000;

Tensor full(float value) { return Tensor::full({kCount}, value, kGpu); }
std::vector<float> all(float value) { return std::vector<float>(kCount, value); }

TEST(Lanes, BeginAfterTheForkAndEndBeforeTheJoin) {
  const Tensor before = full(2.0f);
  Tensor twice, thrice;
  Lanes lanes(kGpu);
  lanes.enter(0);
  twice = ops::add(before, before);
  lanes.enter(1);
  thrice = ops::add(before, ops::add(before, before));
  lanes.enter(0);
  twice = ops::add(twice, full(0.5f));
  lanes.join();
  EXPECT_EQ(ops::add(twice, thrice).to_vector(), all(10.5f));
}

TEST(Lanes, ThatReadWhatAnotherWritesAreFound) {
  Tensor x = full(1.0f);
  Lanes lanes(kGpu);
  lanes.enter(0);
  x.fill(2.0f);
  lanes.enter(1);
  EXPECT_THAT(error_of<emulation::Finding>([&] { ops::add(x, x); }), testing::HasSubstr("no event orders the two"));
}

TEST(Lanes, AreJoinedWhenAnErrorEndsThem) {
  Tensor y;
  try {
    Lanes lanes(kGpu);
    lanes.enter(2);
    y = full(3.0f);
    throw NumericError("on the way");
  } catch (const NumericError&) {
  }
  EXPECT_EQ(current_lane(), Lane{});
  EXPECT_EQ(ops::add(y, y).to_vector(), all(6.0f));
}

TEST(Lanes, InsideOfOthersAreOneLane) {
  Lanes outer(kGpu);
  outer.enter(1);
  const Lane lane = current_lane();
  Lanes inner(kGpu);
  inner.enter(0);
  EXPECT_EQ(current_lane(), lane);
  inner.join();
  outer.join();
  EXPECT_EQ(current_lane().fork, 0);
}

TEST(Lanes, TakeMemoryThatTheyGaveBackAndNoOthers) {
  context(kGpu).synchronize();
  Tensor older = full(1.0f);
  Lanes lanes(kGpu);
  lanes.enter(0);
  const void* const given_back = full(1.0f).raw();
  const void* const older_data = std::exchange(older, Tensor()).raw();  // branch 1 may still be reading it
  lanes.enter(1);
  std::vector<Tensor> taken;
  for (int i = 0; i < 50; ++i) taken.push_back(full(2.0f));
  for (const Tensor& t : taken) {
    EXPECT_NE(t.raw(), given_back);
    EXPECT_NE(t.raw(), older_data);
  }
  lanes.enter(0);
  EXPECT_EQ(full(3.0f).raw(), given_back);
  lanes.join();
}

TEST(Lanes, LeaveNoMemoryBehind) {
  const size_t before = context(kGpu).memory().live_bytes;
  Tensor first = full(1.0f);
  {
    Lanes lanes(kGpu);
    for (int lane = 0; lane < 6; ++lane) {  // more branches than streams
      lanes.enter(lane);
      first = ops::add(full(1.0f), full(2.0f));
    }
    lanes.join();
  }
  first = Tensor();
  EXPECT_EQ(context(kGpu).memory().live_bytes, before);
}

// ---- an inception block, forward and backward ----

struct Block {
  RandomState random;
  InceptionBn layer{4, 8, {.activation = Activation::Relu}};
  Variable x;

  Block() {
    layer.set_path("block");
    initialize(layer, 3);
    layer.to(kGpu);
    x = Variable(random_tensor({2, 5, 6, 4}, 4, DType::F32, kGpu), true);
  }
  void step() {
    const Variable y = layer(x);
    y.backward(random_tensor(y.shape(), 5, DType::F32, kGpu));
  }
  std::vector<std::vector<float>> gradients() {
    std::vector<std::vector<float>> all = {x.grad().to_vector()};
    for (const Parameter* p : layer.parameters()) all.push_back(p->variable.grad().to_vector());
    return all;
  }
};

TEST(Lanes, OfAnInceptionBlockGiveTheBitsOfOneStream) {
  Block apart, together;
  apart.step();
  {
    Lanes one(kGpu);  // the block inside does not fork again
    together.step();
    one.join();
  }
  EXPECT_EQ(apart.gradients(), together.gradients());
}

TEST(Lanes, OfAnInceptionBlockAreParallelBranchesOfACapturedGraph) {
  Block block;
  const Tensor dy = random_tensor({2, 5, 6, 8}, 5, DType::F32, kGpu);
  const auto graph = cuda::capture(kGpu, [&] {
    block.x.zero_grad();
    for (const Parameter* p : block.layer.parameters()) p->variable.zero_grad();
    block.layer(block.x).backward(dy);
  });
  EXPECT_EQ(emulation::streams_of_last_capture(), 4);
  graph->replay();
  Block same;
  same.layer(same.x).backward(dy);
  EXPECT_EQ(block.gradients(), same.gradients());
}

}  // namespace
}  // namespace avs
