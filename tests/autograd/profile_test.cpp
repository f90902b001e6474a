// A timeline of a step: every function once, in order and without gaps, and as JSON that chrome://tracing reads.
#include "autograd/profile.h"

#include <nlohmann/json.hpp>

#include "layers/linear.h"
#include "layers/sequence.h"
#include "tests/op_case.h"

namespace avs {
namespace {

using nlohmann::json;

// Three products: the layers are "0.a", "0.b", "0.c", "1.a", …
class Stage final : public Layer {
 private:
  Variable forward(const Variable& x) override { return c_(b_(a_(x))); }

  Linear &a_ = child<Linear>("a", 8, 8), &b_ = child<Linear>("b", 8, 8), &c_ = child<Linear>("c", 8, 8);
};

std::vector<profile::Span> spans_of_a_step() {
  Sequence net;
  for (int stage = 0; stage < 6; ++stage) net.then<Stage>();
  const Tensor x = Tensor::full({2, 8}, 1.0f), targets = Tensor::full({2, 8}, 0.125f);
  profile::Timeline timeline(kCpu);
  softmax_kl(net(Variable(x)), targets, 1e-7f).backward();
  return timeline.spans();
}

TEST(Timeline, HasEveryFunctionInOrderWithItsLayer) {
  const std::vector<profile::Span> spans = spans_of_a_step();
  double at = 0;
  int forward = 0, backward = 0, in_stage_2 = 0;
  for (const profile::Span& span : spans) {
    EXPECT_EQ(span.begin, at);
    EXPECT_GE(span.end, span.begin);
    at = span.end;
    ++(span.direction == profile::Direction::Forward ? forward : backward);
    in_stage_2 += span.layer.starts_with("2.");
    EXPECT_GT(span.live_bytes, 0u);
  }
  EXPECT_EQ(forward, 19);       // 18 products and the loss
  EXPECT_EQ(backward, 2 * 19);  // each function, and the sums of its inputs' gradients
  EXPECT_EQ(in_stage_2, 3 + 2 * 3);
  EXPECT_FALSE(profile::on()) << "nobody watches any more";
}

TEST(Timeline, IsTraceEventJson) {
  const std::vector<profile::Span> spans = spans_of_a_step();
  const json trace = json::parse(profile::chrome_trace(spans, "a \"quoted\" name"));
  size_t functions = 0, counters = 0, stages = 0;
  double sum_of_functions = 0, last_stage_end = 0;
  for (const json& event : trace.at("traceEvents")) {
    ASSERT_TRUE(event.contains("ph") && event.contains("pid") && event.contains("name")) << event;
    if (event["ph"] == "C") ++counters;
    if (event["ph"] != "X") continue;
    EXPECT_GE(event.at("dur").get<double>(), 0);
    if (event.at("tid") == 1) {
      ++functions;
      sum_of_functions += event["dur"].get<double>();
      EXPECT_TRUE(event["cat"] == "forward" || event["cat"] == "backward");
    } else {
      ++stages;
      EXPECT_GE(event["ts"].get<double>(), last_stage_end - 0.01) << "bars of one row must not overlap";
      last_stage_end = event["ts"].get<double>() + event["dur"].get<double>();
    }
  }
  EXPECT_EQ(functions, spans.size());
  EXPECT_EQ(counters, spans.size());
  EXPECT_GT(stages, 8u);
  EXPECT_LT(stages, functions / 2);
  EXPECT_NEAR(sum_of_functions, spans.back().end, 0.01 * spans.back().end + 1);
}

TEST(Timeline, IsTheOnlyOne) {
  const profile::Timeline timeline(kCpu);
  EXPECT_THAT(error_of<UsageError>([] { profile::Timeline second(kCpu); }), testing::HasSubstr("already"));
}

}  // namespace
}  // namespace avs
