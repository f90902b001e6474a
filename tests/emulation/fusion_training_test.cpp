// Phase II on the emulated device: whole trainings of all six fusions, with captured steps and the smaller batch at an
// epoch's end, compared with the same trainings on the CPU.
#include "models/training/fusion_training.h"

#include <nlohmann/json.hpp>

#include "tests/emulation/gpu.h"
#include "tests/op_case.h"

namespace avs {
namespace {

constexpr int64_t kClasses = 3;
const std::vector<std::string> kInputs = {"aud-mel", "vis-conv", "vis-inc"};

EmbeddingRows random_rows(int64_t clips, int64_t size, uint64_t seed) {
  EmbeddingRows rows;
  for (int64_t i = 0; i < clips; ++i) {
    rows.ids.push_back(str("clip-", i));
    rows.labels.push_back(i % kClasses);
  }
  for (size_t b = 0; b < kInputs.size(); ++b)
    rows.x.push_back(to_tensor(reference::random_vector(clips * size, seed + b), {clips, size}));
  return rows;
}

struct Trained {
  Vector parameters;
  std::vector<nlohmann::json> lines;
};

Trained train_on(Device device, FusionOptions fusion, const LearningOptions& learning) {
  const FusionData data{
      random_rows(10, fusion.embedding_size, 1), random_rows(5, fusion.embedding_size, 9), {"bus", "park", "tram"}};
  Trained result;
  const TrainedFusion trained = train_fusion(
      data, fusion, learning, [&](const std::string& line) { result.lines.push_back(nlohmann::json::parse(line)); },
      device);
  for (const Parameter* p : trained.net->parameters()) {
    EXPECT_EQ(p->variable.value().device(), device);
    const Vector values = to_double(p->variable.value());
    result.parameters.insert(result.parameters.end(), values.begin(), values.end());
  }
  return result;
}

TEST(FusionTrainingOnTheEmulatedDevice, IsTheTrainingOnTheCpu) {
  LearningOptions learning{.epochs = 2, .batch = 4, .learning_rate = 1e-2, .schedule = "cosine"};
  learning.ema = 0.9;
  for (int method = 0; method < 6; ++method)
    for (const Activation activation : {Activation::None, Activation::Relu}) {
      const FusionOptions fusion{.method = static_cast<FusionMethod>(method),
                                 .inputs = kInputs,
                                 .embedding_size = method < 3 ? 37 : kClasses,
                                 .classes = kClasses,
                                 .activation = activation};
      SCOPED_TRACE(str(name_of(fusion.method), activation == Activation::Relu ? " with ReLU" : ""));
      const Trained gpu = train_on(kGpu, fusion, learning), cpu = train_on(kCpu, fusion, learning);
      EXPECT_LT(relative_error(gpu.parameters, cpu.parameters), 1e-4);
      ASSERT_EQ(gpu.lines.size(), 2u);
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(gpu.lines[i].at("step"), cpu.lines[i].at("step"));
        EXPECT_EQ(gpu.lines[i].at("learning_rate"), cpu.lines[i].at("learning_rate"));
        for (const char* key : {"loss", "l2", "accuracy", "validation_log_loss"})
          EXPECT_NEAR(gpu.lines[i].at(key).get<double>(), cpu.lines[i].at(key).get<double>(), 1e-4) << key;
      }
    }
}

TEST(FusionTrainingOnTheEmulatedDevice, RepeatsBitForBit) {
  const LearningOptions learning{.epochs = 2, .batch = 4, .learning_rate = 1e-2};
  const FusionOptions fusion{
      .method = FusionMethod::F4, .inputs = kInputs, .embedding_size = kClasses, .classes = kClasses};
  EXPECT_EQ(train_on(kGpu, fusion, learning).parameters, train_on(kGpu, fusion, learning).parameters);
}

TEST(FusionTrainingOnTheEmulatedDevice, StopsAtALossThatIsNoNumber) {
  const LearningOptions learning{.epochs = 3, .batch = 4, .learning_rate = 1e30};
  const FusionOptions fusion{.method = FusionMethod::F1, .inputs = kInputs, .embedding_size = 37, .classes = kClasses};
  EXPECT_THAT(error_of<NumericError>([&] { train_on(kGpu, fusion, learning); }), testing::HasSubstr("in epoch"));
}

}  // namespace
}  // namespace avs
