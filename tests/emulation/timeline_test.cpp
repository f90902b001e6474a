// A profile of a step on a GPU: events on the stream after each function, read when the device has finished.
#include <algorithm>

#include "autograd/profile.h"
#include "models/training/step.h"
#include "tests/emulation/runtime.h"
#include "tests/emulation/small_training.h"
#include "tests/op_case.h"

namespace avs {
namespace {

std::vector<profile::Span> spans_of_a_step(SmallTraining& t) {
  const Tensor x = random_input(small_input("vis-conv", 2), 1);
  Tensor labels = Tensor::zeros({2, SmallTraining::kClasses});
  labels.data<float>()[0] = labels.data<float>()[5] = 1;
  profile::Timeline timeline(kGpu);
  train_step(*t.net, *t.adam, x, labels, {.mixup = {.scheme = MixupScheme::None}});
  return timeline.spans();
}

TEST(Timeline, OfAGpuIsTimedByEventsFunctionByFunction) {
  SmallTraining t("vis-conv");
  const std::vector<profile::Span> spans = spans_of_a_step(t);
  ASSERT_FALSE(spans.empty());
  for (size_t i = 0; i < spans.size(); ++i) {
    EXPECT_GE(spans[i].end, spans[i].begin) << spans[i].function;
    EXPECT_EQ(spans[i].begin, i == 0 ? 0 : spans[i - 1].end) << spans[i].function;
  }
  EXPECT_GT(spans.back().end, 0);
  const auto has = [&](const std::string& function, profile::Direction direction) {
    return std::ranges::any_of(spans, [&](const profile::Span& span) {
      return span.function == function && span.direction == direction && !span.layer.empty() && span.live_bytes > 0;
    });
  };
  for (const auto direction : {profile::Direction::Forward, profile::Direction::Backward})
    EXPECT_TRUE(has("mlp", direction) && has("depthwise_layer_norm", direction));
  EXPECT_EQ(spans.back().function, "adam");
}

TEST(Timeline, OfADeviceThatFailsIsAnErrorLikeAnyOther) {
  SmallTraining t("vis-conv");
  emulation::set_fault({"cudaEventRecord", 3, 700});
  EXPECT_THAT(error_of<DeviceError>([&] { spans_of_a_step(t); }), testing::HasSubstr("cudaErrorIllegalAddress"));
  emulation::set_fault({});
  EXPECT_FALSE(spans_of_a_step(t).empty()) << "and the next one works";
}

}  // namespace
}  // namespace avs
