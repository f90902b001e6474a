// The six fusions against the formulas of models/fusion.h in double precision: values, and the gradient of every
// parameter against central differences.
#include "models/fusion.h"

#include "autograd/functions.h"
#include "models/training/fusion_training.h"
#include "tests/op_case.h"
#include "tests/reference/linear.h"

namespace avs {
namespace {

using reference::Vector;
using Values = std::map<std::string, Vector>;  // parameters by path

constexpr int64_t kRows = 3, kSize = 4, kClasses = 3;
const std::vector<std::string> kFive = {"aud-mel", "vis-conv", "aud-gam", "aud-cqt", "vis-inc"};

// sum over the inputs whose names begin with `prefix` of w * x, plus the bias, from the parameters below `module`.
Vector group_sum(const Values& p, const std::string& module, const std::string& prefix,
                 const std::vector<std::string>& names, const std::vector<Vector>& x) {
  Vector y(static_cast<size_t>(kRows * kSize));
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t d = i % kSize;
    y[i] = p.at(module + ".bias")[d];
    for (size_t b = 0; b < names.size(); ++b)
      if (names[b].starts_with(prefix)) y[i] += p.at(module + ".weight." + names[b])[d] * x[b][i];
  }
  return y;
}

Vector oracle(FusionMethod method, const Values& p, const std::vector<std::string>& names,
              const std::vector<Vector>& x) {
  const auto classify = [&](const Vector& e, int64_t width) {
    return reference::linear(e, p.at("classifier.weight"), p.at("classifier.bias"), width, kClasses);
  };
  if (method == FusionMethod::F1 || method == FusionMethod::F4)
    return classify(group_sum(p, "all", "", names, x), kSize);
  const Vector a = group_sum(p, "sound", "aud-", names, x), v = group_sum(p, "pictures", "vis-", names, x);
  Vector e;
  if (method == FusionMethod::F2 || method == FusionMethod::F5) {
    for (size_t i = 0; i < a.size(); ++i) {
      const size_t d = i % kSize;
      e.push_back(p.at("joint.weight.sound")[d] * a[i] + p.at("joint.weight.pictures")[d] * v[i] +
                  p.at("joint.bias")[d]);
    }
    return classify(e, kSize);
  }
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t d = 0; d < kSize; ++d) e.push_back(a[static_cast<size_t>(row * kSize + d)]);
    for (int64_t d = 0; d < kSize; ++d) e.push_back(v[static_cast<size_t>(row * kSize + d)]);
  }
  return classify(e, 2 * kSize);
}

std::vector<Vector> random_embeddings(size_t count) {
  std::vector<Vector> x;
  for (size_t i = 0; i < count; ++i) x.push_back(reference::random_vector(kRows * kSize, 40 + i));
  return x;
}

std::vector<Variable> to_variables(const std::vector<Vector>& x) {
  std::vector<Variable> variables;
  for (const Vector& values : x) variables.emplace_back(to_tensor(values, {kRows, kSize}));
  return variables;
}

// Every parameter gets random values, so that no weight or bias can be forgotten unnoticed.
Values randomize(FusionNet& net) {
  Values values;
  uint64_t seed = 70;
  for (Parameter* p : net.parameters()) {
    values[p->path] = reference::random_vector(p->variable.value().size(), seed++);
    p->variable.set_value(to_tensor(values[p->path], p->variable.shape()));
  }
  return values;
}

class EachFusion : public testing::TestWithParam<FusionMethod> {};

TEST_P(EachFusion, MatchesThePapersFormulaAndItsGradients) {
  FusionNet net({.method = GetParam(), .inputs = kFive, .embedding_size = kSize, .classes = kClasses});
  const Values p = randomize(net);
  const std::vector<Vector> x = random_embeddings(kFive.size());
  const Variable logits = net.run(to_variables(x));
  EXPECT_LT(relative_error(to_double(logits.value()), oracle(GetParam(), p, kFive, x)), 1e-5);

  const Vector dy = reference::random_vector(kRows * kClasses, 99);
  logits.backward(to_tensor(dy, {kRows, kClasses}));
  for (const Parameter* parameter : net.parameters()) {
    const auto along = [&](const Vector& moved) {
      Values q = p;
      q[parameter->path] = moved;
      return oracle(GetParam(), q, kFive, x);
    };
    EXPECT_LT(relative_error(to_double(parameter->variable.grad()), numeric_gradient(along, p.at(parameter->path), dy)),
              1e-5)
        << parameter->path;
  }
}

TEST_P(EachFusion, WorksOnAnyNumberOfBackbones) {
  for (const std::vector<std::string>& names : {std::vector<std::string>{"aud-mel"},
                                                {"vis-inc"},
                                                {"aud-mel", "aud-gam", "aud-cqt"},
                                                {"vis-inc", "vis-conv"},
                                                {"aud-mel", "vis-inc"}}) {
    FusionNet net({.method = GetParam(), .inputs = names, .embedding_size = kSize, .classes = kClasses});
    EXPECT_EQ(net.run(to_variables(random_embeddings(names.size()))).shape(), (Shape{kRows, kClasses}));
  }
}

INSTANTIATE_TEST_SUITE_P(F1ToF6, EachFusion,
                         testing::Values(FusionMethod::F1, FusionMethod::F2, FusionMethod::F3, FusionMethod::F4,
                                         FusionMethod::F5, FusionMethod::F6),
                         [](const auto& tested) { return std::string(name_of(tested.param)); });

TEST(Fusion, HasThePapersNumberOfParameters) {
  const auto count = [](FusionMethod method, int64_t size) {
    FusionNet net({.method = method, .inputs = kFive, .embedding_size = size, .classes = 10});
    return net.parameter_count();
  };
  EXPECT_EQ(count(FusionMethod::F1, 1024), 5 * 1024 + 1024 + 1024 * 10 + 10);
  EXPECT_EQ(count(FusionMethod::F2, 1024), 5 * 1024 + 2 * 1024 + 3 * 1024 + 1024 * 10 + 10);
  EXPECT_EQ(count(FusionMethod::F3, 1024), 5 * 1024 + 2 * 1024 + 2 * 1024 * 10 + 10);
  EXPECT_EQ(count(FusionMethod::F4, 10), 5 * 10 + 10 + 10 * 10 + 10);
}

TEST(Fusion, BeginsAsTheMeanOfItsInputs) {
  FusionNet net({.method = FusionMethod::F1, .inputs = kFive, .embedding_size = kSize, .classes = kClasses});
  for (const Parameter* p : net.parameters())
    if (p->path.starts_with("all.weight.")) {
      EXPECT_FLOAT_EQ(p->variable.value().to_vector()[0], 0.2f) << p->path;
    }
}

TEST(Fusion, TheReluOptionCutsNegativeSums) {
  FusionOptions options{
      .method = FusionMethod::F4, .inputs = {"aud-mel"}, .embedding_size = kSize, .classes = kClasses};
  options.activation = Activation::Relu;
  FusionNet net(options);
  const std::vector<float> bias = net.run({Variable(Tensor::full({1, kSize}, -1.0f))}).value().to_vector();
  EXPECT_EQ(bias, std::vector<float>(kClasses, 0.0f));  // the classifier's bias starts at 0
}

TEST(Fusion, ItsOptionsSurviveTheirJson) {
  const FusionOptions options{FusionMethod::F5, {"aud-gam", "vis-conv"}, 10, 4, Activation::Relu, 9};
  EXPECT_EQ(fusion_options_from_json(to_json(options)), options);
}

TEST(Fusion, RefusesWhatItCannotFuse) {
  const auto make = [](std::vector<std::string> inputs) {
    FusionNet net({.method = FusionMethod::F4, .inputs = std::move(inputs), .embedding_size = 4, .classes = 3});
  };
  EXPECT_THAT(error_of<UsageError>([&] { make({"depth-map"}); }), testing::HasSubstr("neither aud- nor vis-"));
  EXPECT_THAT(error_of<UsageError>([&] { make({"aud-mel", "aud-mel"}); }), testing::HasSubstr("twice"));
  EXPECT_THAT(error_of<UsageError>([&] { make({}); }), testing::HasSubstr("no embeddings"));
  EXPECT_THAT(error_of<DataError>([] { fusion_options_from_json("{}"); }), testing::HasSubstr("not what this project"));
}

// ---- training ----

// Three classes, each with a direction of its own in both embeddings.
EmbeddingRows separable(int64_t n, uint64_t seed) {
  Rng rng(seed);
  EmbeddingRows rows;
  for (int input = 0; input < 2; ++input) rows.x.push_back(Tensor::empty({n, 10}));
  for (int64_t i = 0; i < n; ++i) {
    rows.ids.push_back(str("clip", i));
    const int64_t label = rng.below(3);
    rows.labels.push_back(label);
    for (Tensor& x : rows.x)
      for (int64_t d = 0; d < 10; ++d)
        x.data<float>()[i * 10 + d] = static_cast<float>(rng.normal() + (d == label ? 3.0 : 0.0));
  }
  return rows;
}

FusionData separable_data() { return {separable(300, 1), separable(150, 2), {"a", "b", "c"}}; }
const FusionOptions kSmallFusion{
    .method = FusionMethod::F5, .inputs = {"aud-mel", "vis-inc"}, .embedding_size = 10, .classes = 3};
const LearningOptions kShort{.epochs = 10, .batch = 32, .learning_rate = 1e-2};

TEST(FusionTraining, LearnsKeepsTheBestEpochAndRepeatsItself) {
  const FusionData data = separable_data();
  std::vector<std::string> lines;
  TrainedFusion one = train_fusion(data, kSmallFusion, kShort, [&](const std::string& line) { lines.push_back(line); });
  TrainedFusion two = train_fusion(data, kSmallFusion, kShort, [](const std::string&) {});
  EXPECT_GT(one.validation.micro_accuracy, 0.85);
  EXPECT_EQ(lines.size(), 10u);
  EXPECT_EQ(one.best_epoch, two.best_epoch);
  const Tensor p = fuse(*one.net, data.validation.x);
  EXPECT_EQ(p.to_vector(), fuse(*two.net, data.validation.x).to_vector());
  EXPECT_EQ(evaluate(p, data.validation.ids, data.validation.labels, data.classes).micro_accuracy,
            one.validation.micro_accuracy);
}

TEST(FusionTraining, MixingLogitsEqualsMixingEmbeddingsInValueAndGradient) {
  const EmbeddingRows data = separable(7, 3);
  Rng rng(6);
  const MixupPlan plan = plan_mixup(7, {}, rng);
  FusionNet shortcut(kSmallFusion), definition(kSmallFusion);
  std::vector<Variable> x;
  for (const Tensor& matrix : data.x) x.emplace_back(ops::mixup(matrix, plan));
  const Variable fast = mixed_logits(shortcut, data.x, plan), slow = definition.run(x);
  EXPECT_LT(relative_error(to_double(fast.value()), to_double(slow.value())), 1e-5);
  const Tensor dy = to_tensor(reference::random_vector(13 * 3, 8), {13, 3});
  fast.backward(dy);
  slow.backward(dy);
  const auto p = shortcut.parameters(), q = definition.parameters();
  for (size_t i = 0; i < p.size(); ++i)
    EXPECT_LT(relative_error(to_double(p[i]->variable.grad()), to_double(q[i]->variable.grad())), 1e-5) << p[i]->path;
}

TEST(FusionTraining, StopsAtALossThatIsNoNumber) {
  LearningOptions wild = kShort;
  wild.learning_rate = 1e30;
  EXPECT_THAT(
      error_of<NumericError>([&] { train_fusion(separable_data(), kSmallFusion, wild, [](const std::string&) {}); }),
      testing::HasSubstr("in epoch"));
}

}  // namespace
}  // namespace avs
