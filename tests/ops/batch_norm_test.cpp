#include "tensor/ops/batch_norm.h"

#include <cmath>

#include "tensor/ops/concat.h"
#include "tensor/parallel.h"
#include "tests/op_case.h"
#include "tests/reference/batch_norm.h"
#include "tests/reference/concat.h"

namespace avs {
namespace {

enum class Gamma : uint8_t { Absent, Learned };

struct Variant {
  Gamma gamma;
  Residual residual;
  Activation activation;
};

constexpr Variant kVariants[] = {{Gamma::Learned, Residual::None, Activation::None},
                                 {Gamma::Absent, Residual::None, Activation::Relu},  // Keras' InceptionV3
                                 {Gamma::Learned, Residual::Added, Activation::None},
                                 {Gamma::Learned, Residual::Added, Activation::Relu},  // our residual stages
                                 {Gamma::Absent, Residual::Added, Activation::Relu}};

std::string name_of(const char* op, const Shape& shape, const Variant& variant) {
  return str(op, " ", shape, variant.gamma == Gamma::Absent ? "" : " gamma",
             variant.residual == Residual::None ? "" : " residual",
             variant.activation == Activation::None ? "" : " relu");
}

// Inputs in the order x, beta, then gamma and residual if the variant has them.
template <typename T>
struct Inputs {
  T x, beta, gamma, residual;
  Inputs(const std::vector<T>& all, const Variant& variant) : x(all[0]), beta(all[1]) {
    size_t next = 2;
    if (variant.gamma == Gamma::Learned) gamma = all[next++];
    if (variant.residual == Residual::Added) residual = all[next++];
  }
};

std::vector<Shape> shapes_of(const Shape& x, const Variant& variant) {
  std::vector<Shape> shapes{x, {x[-1]}};
  if (variant.gamma == Gamma::Learned) shapes.push_back({x[-1]});
  if (variant.residual == Residual::Added) shapes.push_back(x);
  return shapes;
}

Vector activated(const Vector& y, const Variant& variant) {
  return variant.activation == Activation::Relu ? reference::relu(y) : y;
}

OpCase training_case(const Shape& shape, const Variant& variant) {
  return {.name = name_of("batch_norm", shape, variant),
          .inputs = shapes_of(shape, variant),
          .engine =
              [=](const auto& v) {
                const Inputs<Variable> in(v, variant);
                const Device device = in.x.value().device();
                Tensor mean = Tensor::zeros({shape[-1]}, DType::F32, device);
                Tensor variance = Tensor::full({shape[-1]}, 1.0f, device);
                return batch_norm({in.x}, in.gamma, in.beta, in.residual, {mean, variance}, Moments::OfBatch,
                                  {.epsilon = 0.01f, .activation = variant.activation});
              },
          .oracle =
              [=](const auto& v) {
                const Inputs<Vector> in(v, variant);
                return activated(reference::batch_norm(in.x, in.gamma, in.beta, in.residual, double{0.01f}), variant);
              },
          .draw = {}};
}

reference::Moments fixed_moments(size_t c) {
  reference::Moments m{reference::random_vector(static_cast<int64_t>(c), 71),
                       reference::random_vector(static_cast<int64_t>(c), 72)};
  for (double& v : m.variance) v = static_cast<double>(static_cast<float>(v * v + 0.1));
  return m;
}

OpCase inference_case(const Shape& shape, const Variant& variant) {
  const reference::Moments m = fixed_moments(static_cast<size_t>(shape[-1]));
  return {.name = name_of("batch_norm_inference", shape, variant),
          .inputs = shapes_of(shape, variant),
          .engine =
              [=](const auto& v) {
                const Inputs<Variable> in(v, variant);
                const Device device = in.x.value().device();
                return batch_norm({in.x}, in.gamma, in.beta, in.residual,
                                  {to_tensor(m.mean, {shape[-1]}, device), to_tensor(m.variance, {shape[-1]}, device)},
                                  Moments::Running, {.epsilon = 0.01f, .activation = variant.activation});
              },
          .oracle =
              [=](const auto& v) {
                const Inputs<Vector> in(v, variant);
                return activated(reference::normalise(in.x, m, in.gamma, in.beta, in.residual, double{0.01f}), variant);
              },
          .draw = {}};
}

TEST(BatchNorm, MatchesTheOracleInTraining) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{2, 3, 3, 5}, Shape{37, 1}, Shape{5, 67}, Shape{3, 2, 2, 16}, Shape{12, 6}})
      for (const Variant& variant : kVariants) check_op(training_case(shape, variant), device);
}

TEST(BatchNorm, MatchesTheOracleInInference) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{2, 3, 3, 5}, Shape{4, 67}})
      for (const Variant& variant : kVariants) check_op(inference_case(shape, variant), device);
}

struct Large {
  Vector x, beta, gamma;
  Shape shape;
};

Large large_case(int64_t rows, int64_t c) {
  return {
      reference::random_vector(rows * c, 3), reference::random_vector(c, 4), reference::random_vector(c, 5), {rows, c}};
}

BatchNormResult run(const Large& in, Tensor& mean, Tensor& variance, BatchNormSpec spec, Device device = kCpu) {
  return ops::batch_norm(to_tensor(in.x, in.shape, device), to_tensor(in.gamma, {in.shape[1]}, device),
                         to_tensor(in.beta, {in.shape[1]}, device), Tensor(), mean, variance, spec);
}

TEST(BatchNorm, CoversEveryElementOfLargeTensors) {
  for (const auto& [rows, c] : {std::pair{70001, 6}, {9001, 48}, {4001, 192}, {331, 2048}, {301, 132}}) {
    const Large in = large_case(rows, c);
    for (const Device device : devices()) {
      Tensor mean = Tensor::zeros({c}, DType::F32, device), variance = mean.clone();
      EXPECT_LT(relative_error(to_double(run(in, mean, variance, {}, device).y),
                               reference::batch_norm(in.x, in.gamma, in.beta, {}, double{1e-3f})),
                1e-6)
          << rows << " x " << c << " on " << device;
    }
  }
}

struct Everything {
  BatchNormResult forward;
  Tensor running_mean, running_variance;
  BatchNormGradients gradients;
  Tensor inference;
  BatchNormGradients inference_gradients;
};

// `mask`: the y whose sign is the ReLU's mask; undefined for this run's own y.
Everything everything(const Variant& variant, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                      const Tensor& residual, const Tensor& dy, const Tensor& mask) {
  const BatchNormSpec spec{.activation = variant.activation};
  Everything e;
  e.running_mean = beta.clone();
  e.running_variance = Tensor::full(beta.shape(), 1.5f, beta.device());
  e.inference = ops::batch_norm_inference(x, gamma, beta, residual, e.running_mean, e.running_variance, spec);
  e.inference_gradients = ops::batch_norm_inference_backward(
      x, mask.defined() ? mask : e.inference, gamma, e.running_mean, e.running_variance, dy, variant.residual, spec);
  e.forward = ops::batch_norm(x, gamma, beta, residual, e.running_mean, e.running_variance, spec);
  e.gradients = ops::batch_norm_backward(x, mask.defined() ? mask : e.forward.y, gamma, e.forward.mean,
                                         e.forward.inverse_std, dy, variant.residual, spec);
  return e;
}

void expect_alike(const BatchNormGradients& got, const BatchNormGradients& expected, DType dtype, double tolerance) {
  const auto alike = [](const Tensor& a, const Tensor& b, DType type, double most, const char* name) {
    ASSERT_EQ(a.defined(), b.defined()) << name;
    if (!a.defined()) return;
    EXPECT_EQ(a.dtype(), type) << name;
    EXPECT_LT(relative_error(to_double(a), to_double(b)), most) << name;
  };
  alike(got.dx, expected.dx, dtype, tolerance, "dx");
  alike(got.dgamma, expected.dgamma, DType::F32, 1e-5, "dgamma");
  alike(got.dbeta, expected.dbeta, DType::F32, 1e-5, "dbeta");
  alike(got.dresidual, expected.dresidual, dtype, tolerance, "dresidual");
}

void follow_the_cpu(const Shape& shape, const Variant& variant, DType dtype, double tolerance, Device device) {
  SCOPED_TRACE(str(name_of("batch_norm", shape, variant), " ", dtype, " on ", device));
  const Shape channels{shape[-1]};
  const Tensor x = random_tensor(shape, 1, dtype, device), dy = random_tensor(shape, 2, dtype, device);
  const Tensor beta = random_tensor(channels, 3, DType::F32, device), mask = random_tensor(shape, 4, dtype, device);
  const Tensor gamma = variant.gamma == Gamma::Learned ? random_tensor(channels, 5, DType::F32, device) : Tensor();
  const Tensor residual = variant.residual == Residual::Added ? random_tensor(shape, 6, dtype, device) : Tensor();
  const auto here = on_cpu_in_f32;
  const Everything got = everything(variant, x, gamma, beta, residual, dy, mask);
  const Everything expected =
      everything(variant, here(x), here(gamma), here(beta), here(residual), here(dy), here(mask));
  EXPECT_EQ(got.forward.y.dtype(), dtype);
  const auto error = [](const Tensor& a, const Tensor& b) { return relative_error(to_double(a), to_double(b)); };
  EXPECT_LT(error(got.forward.y, expected.forward.y), tolerance);
  EXPECT_LT(error(got.inference, expected.inference), tolerance);
  EXPECT_LT(error(got.forward.mean, expected.forward.mean), 1e-5);
  EXPECT_LT(error(got.forward.inverse_std, expected.forward.inverse_std), 1e-6);
  EXPECT_LT(error(got.running_mean, expected.running_mean), 1e-6);
  EXPECT_LT(error(got.running_variance, expected.running_variance), 1e-6);
  expect_alike(got.gradients, expected.gradients, dtype, tolerance);
  expect_alike(got.inference_gradients, expected.inference_gradients, dtype, tolerance);
}

// Vectors, rows folded into vectors, and scalars; each with several blocks and a shorter last one.
TEST(BatchNorm, FollowsTheCpuInEveryTypeOfAGpu) {
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;  // the CPU computes in f32 only
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 1e-5}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const Shape& shape : {Shape{2003, 48}, Shape{1204, 12}, Shape{333, 5}})
        for (const Variant& variant : kVariants) follow_the_cpu(shape, variant, dtype, tolerance, device);
  }
}

// ---- several side by side ----

// Inputs: the parts of x, beta, then gamma and residual where the variant has them.
OpCase parts_case(const std::vector<int64_t>& channels, Moments moments, const Variant& variant) {
  const size_t count = channels.size();
  int64_t width = 0;
  std::vector<Shape> shapes;
  for (const int64_t c : channels) {
    shapes.push_back({2, 3, 2, c});
    width += c;
  }
  const std::vector<Shape> others = shapes_of({2, 3, 2, width}, variant);
  shapes.insert(shapes.end(), others.begin() + 1, others.end());
  const reference::Moments m = fixed_moments(static_cast<size_t>(width));
  // What the cases above take: x whole, then the others.
  const auto whole = [=](const auto& v, auto x) {
    std::decay_t<decltype(v)> all{x};
    all.insert(all.end(), v.begin() + static_cast<ptrdiff_t>(count), v.end());
    return Inputs<typename std::decay_t<decltype(v)>::value_type>(all, variant);
  };
  return {.name = name_of("batch_norm of parts", {2, 3, 2, width}, variant),
          .inputs = shapes,
          .engine =
              [=](const auto& v) {
                const auto in = whole(v, Variable());
                const Device device = v[0].value().device();
                return batch_norm({v.begin(), v.begin() + static_cast<ptrdiff_t>(count)}, in.gamma, in.beta,
                                  in.residual,
                                  {to_tensor(m.mean, {width}, device), to_tensor(m.variance, {width}, device)}, moments,
                                  {.epsilon = 0.01f, .activation = variant.activation});
              },
          .oracle =
              [=](const auto& v) {
                const std::vector<Vector> parts(v.begin(), v.begin() + static_cast<ptrdiff_t>(count));
                const auto in = whole(v, reference::concat(parts, {channels.begin(), channels.end()}));
                return activated(moments == Moments::Running
                                     ? reference::normalise(in.x, m, in.gamma, in.beta, in.residual, double{0.01f})
                                     : reference::batch_norm(in.x, in.gamma, in.beta, in.residual, double{0.01f}),
                                 variant);
              },
          .draw = {}};
}

TEST(BatchNorm, OfPartsIsThatOfTheirConcat) {
  for (const Device device : devices())
    for (const Moments moments : {Moments::OfBatch, Moments::Running})
      for (const std::vector<int64_t>& channels : {std::vector<int64_t>{4, 8},
                                                   {3, 1, 5},
                                                   {8, 8, 8, 8},
                                                   {12, 64},
                                                   {1, 2, 1, 2, 1, 2, 1, 2, 1, 2},
                                                   std::vector<int64_t>(9, 4)})
        for (const Variant& variant : kVariants) check_op(parts_case(channels, moments, variant), device);
}

// Three blocks of one output: a BatchNorm with gamma and ReLU, x as it is, and a frozen BatchNorm without either.
OpCase side_by_side_case(int64_t a, int64_t b, int64_t c) {
  const reference::Moments m = fixed_moments(static_cast<size_t>(c));
  return {.name = str("concat_batch_norms of ", a, ", ", b, " and ", c, " channels"),
          .inputs = {{5, 3, a}, {a}, {a}, {5, 3, b}, {5, 3, c}, {c}},
          .engine =
              [=](const auto& v) {
                const Device device = v[0].value().device();
                const Tensor zeros = Tensor::zeros({a}, DType::F32, device);
                return concat_batch_norms(
                    {{v[0], v[1], v[2], {zeros, zeros.clone()}, Moments::OfBatch, {.activation = Activation::Relu}},
                     {v[3]},
                     {.x = v[4],
                      .beta = v[5],
                      .running = {to_tensor(m.mean, {c}, device), to_tensor(m.variance, {c}, device)},
                      .moments = Moments::Running}});
              },
          .oracle =
              [=](const auto& v) {
                const Vector first = reference::relu(reference::batch_norm(v[0], v[1], v[2], {}, double{1e-3f}));
                const Vector last = reference::normalise(v[4], m, {}, v[5], {}, double{1e-3f});
                return reference::concat({first, v[3], last},
                                         {static_cast<size_t>(a), static_cast<size_t>(b), static_cast<size_t>(c)});
              },
          .draw = {}};
}

TEST(BatchNorm, WritesItsPartOfAConcat) {
  for (const Device device : devices()) {
    check_op(side_by_side_case(4, 8, 16), device);
    check_op(side_by_side_case(3, 2, 7), device);
    check_op(side_by_side_case(8, 1, 8), device);
  }
}

// In the short types too, vectors and scalars, several blocks of rows: within rounding what the whole tensor gives.
TEST(BatchNorm, OfPartsFollowsTheWholeInEveryType) {
  for (const Device device : devices())
    for (const auto& [type, tolerance] : {std::pair{DType::F32, 1e-5}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const std::vector<int64_t>& channels :
           {std::vector<int64_t>{16, 32, 16}, {5, 12}, std::vector<int64_t>(10, 8)}) {
        const DType dtype = type;
        if (!device.is_cuda() && dtype != DType::F32) continue;
        const int64_t rows = 1501;
        std::vector<Variable> parts, copies;
        int64_t width = 0;
        for (const int64_t c : channels) {
          const Tensor x = random_tensor({rows, c}, static_cast<uint64_t>(c) + parts.size(), dtype, device);
          parts.emplace_back(x, true);
          copies.emplace_back(x, true);
          width += c;
        }
        const auto run = [&](const std::vector<Variable>& x) {
          const Variable gamma(random_tensor({width}, 2, DType::F32, device), true),
              beta(random_tensor({width}, 3, DType::F32, device), true);
          const Variable residual(random_tensor({rows, width}, 4, dtype, device), true);
          const RunningMoments running{Tensor::zeros({width}, DType::F32, device),
                                       Tensor::zeros({width}, DType::F32, device)};
          const Variable y =
              batch_norm(x, gamma, beta, residual, running, Moments::OfBatch, {.activation = Activation::Relu});
          y.backward(random_tensor({rows, width}, 5, dtype, device));
          return std::vector<Tensor>{y.value(),    running.mean, running.variance,
                                     gamma.grad(), beta.grad(),  residual.grad()};
        };
        const std::vector<Tensor> got = run(parts), expected = run({concat(copies)});
        for (size_t i = 0; i < got.size(); ++i)
          EXPECT_LT(relative_error(to_double(got[i]), to_double(expected[i])), tolerance) << i << " in " << dtype;
        for (size_t i = 0; i < parts.size(); ++i)
          EXPECT_LT(relative_error(to_double(parts[i].grad()), to_double(copies[i].grad())), tolerance)
              << i << " in " << dtype;
      }
}

// What the header promises of the forms for parts beyond what our networks ask: dresidual where there is no ReLU, and
// running moments also from parts that have a batch's.
TEST(BatchNorm, OfPartsDoesWhatItIsAskedForAlone) {
  const Tensor x = random_tensor({6, 3}, 1, DType::F32, kCpu), wide_dy = random_tensor({6, 5}, 2, DType::F32, kCpu);
  for (const Device device : devices()) {
    const auto filled = [&](float value) { return Tensor::full({3}, value, device); };
    std::vector<BatchNormPart> parts{{.x = x.to(device),
                                      .first = 2,
                                      .gamma = filled(1.5f),
                                      .beta = filled(0.25f),
                                      .running_mean = filled(0.5f),
                                      .running_variance = filled(2.0f)}};
    Tensor y = Tensor::zeros({6, 5}, DType::F32, device), inference = y.clone();
    ops::batch_norm_parts_inference(parts, {}, {}, inference);
    ops::batch_norm_parts(parts, {}, {.new_value_weight = 0.0f}, y);
    Tensor again = Tensor::zeros({6, 5}, DType::F32, device);
    ops::batch_norm_parts_inference(parts, {}, {}, again);
    EXPECT_EQ(to_double(again), to_double(inference)) << device;
    EXPECT_NE(to_double(y), to_double(inference)) << device;

    std::vector<BatchNormPartGradients> alone(1), with_residual(1);
    Tensor none, dresidual = Tensor::zeros({6, 5}, DType::F32, device);
    const Tensor dy = wide_dy.to(device);
    ops::batch_norm_parts_backward(parts, {}, dy, {}, alone, none);
    ops::batch_norm_parts_backward(parts, {}, dy, {}, with_residual, dresidual);
    EXPECT_EQ(to_double(with_residual[0].dx), to_double(alone[0].dx)) << device;
    EXPECT_EQ(to_double(ops::slice_channels(dresidual, 2, 3)), to_double(ops::slice_channels(dy, 2, 3))) << device;
    EXPECT_EQ(to_double(ops::slice_channels(dresidual, 0, 2)), Vector(12, 0.0)) << device;
  }
}

TEST(BatchNorm, KeepsTheVarianceOfChannelsFarFromZero) {
  Vector x = reference::random_vector(5000, 3);
  for (double& v : x) v = static_cast<double>(static_cast<float>(v + 1000.0));
  const reference::Moments expected = reference::moments(x, 1);
  for (const Device device : devices()) {
    const Tensor beta = Tensor::zeros({1}, DType::F32, device);
    Tensor mean = beta.clone(), variance = beta.clone();
    ops::batch_norm(to_tensor(x, {5000, 1}, device), Tensor(), beta, Tensor(), mean, variance,
                    {.new_value_weight = 1.0f, .running_variance = RunningVariance::Biased});
    EXPECT_NEAR(to_double(variance)[0], expected.variance[0], 1e-5) << device;
    EXPECT_NEAR(to_double(mean)[0], expected.mean[0], 1e-4) << device;
  }
}

TEST(BatchNorm, MovesTheRunningStatisticsInBothConventions) {
  const Large in = large_case(7, 3);
  const reference::Moments batch = reference::moments(in.x, 3);
  for (const Device device : devices())
    for (const auto& [convention, factor] :
         {std::pair{RunningVariance::Unbiased, 7.0 / 6.0}, {RunningVariance::Biased, 1.0}}) {
      Tensor mean = Tensor::full({3}, 0.5f, device), variance = Tensor::full({3}, 2.0f, device);
      run(in, mean, variance, {.new_value_weight = 0.1f, .running_variance = convention}, device);
      for (size_t k = 0; k < 3; ++k) {
        EXPECT_NEAR(to_double(mean)[k], 0.9 * 0.5 + 0.1 * batch.mean[k], 1e-6) << device;
        EXPECT_NEAR(to_double(variance)[k], 0.9 * 2.0 + 0.1 * factor * batch.variance[k], 1e-6) << device;
      }
    }
}

TEST(BatchNorm, OfASingleRowIsBetaAndKeepsTheRunningVarianceFinite) {
  for (const Device device : devices()) {
    Tensor mean = Tensor::full({2}, 0.0f, device), variance = Tensor::full({2}, 1.0f, device);
    const BatchNormResult r =
        ops::batch_norm(Tensor::full({1, 2}, 3.0f, device), Tensor(), Tensor::full({2}, 0.5f, device), Tensor(), mean,
                        variance, {.new_value_weight = 0.1f});
    EXPECT_EQ(to_double(r.y), (Vector{0.5, 0.5})) << device;
    for (const double v : to_double(variance)) EXPECT_NEAR(v, 0.9, 1e-6) << device;
  }
}

TEST(BatchNorm, DoesNotDependOnTheThreadCount) {
  const Large in = large_case(20000, 12);
  const Tensor dy = to_tensor(reference::random_vector(in.shape.size(), 9), in.shape);
  const BatchNormSpec spec{.activation = Activation::Relu};
  const auto everything = [&](int threads) {
    set_thread_count(threads);
    Tensor mean = Tensor::zeros({12}), variance = Tensor::zeros({12});
    const BatchNormResult r = run(in, mean, variance, spec);
    const BatchNormGradients g = ops::batch_norm_backward(to_tensor(in.x, in.shape), r.y, to_tensor(in.gamma, {12}),
                                                          r.mean, r.inverse_std, dy, Residual::Added, spec);
    return std::vector<Vector>{to_double(r.y),      to_double(variance), to_double(g.dx),
                               to_double(g.dgamma), to_double(g.dbeta),  to_double(g.dresidual)};
  };
  const int before = thread_count();
  const std::vector<Vector> one = everything(1);
  EXPECT_EQ(everything(3), one);
  set_thread_count(before);
}

TEST(BatchNorm, ShowsNaNInsteadOfHidingIt) {
  Tensor x = Tensor::zeros({3, 2});
  x.data<float>()[2] = NAN;
  for (const Device device : devices()) {
    const Tensor beta = Tensor::zeros({2}, DType::F32, device);
    Tensor mean = beta.clone(), variance = beta.clone();
    const BatchNormSpec spec{.activation = Activation::Relu};
    const Vector y = to_double(ops::batch_norm(x.to(device), Tensor(), beta, Tensor(), mean, variance, spec).y);
    EXPECT_TRUE(std::isnan(y[0])) << device;
    EXPECT_FALSE(std::isnan(y[1])) << device;
  }
}

TEST(BatchNorm, RefusesWhatDoesNotFit) {
  Tensor mean = Tensor::zeros({3}), variance = Tensor::zeros({3});
  const Tensor x = Tensor::zeros({4, 3}), beta = Tensor::zeros({3});
  EXPECT_THAT(error_of<ShapeError>([&] { ops::batch_norm(x, Tensor::zeros({4}), beta, {}, mean, variance, {}); }),
              testing::HasSubstr("batch_norm: x [4, 3] has 3 channels, so gamma must be [3], got [4]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::batch_norm(x, {}, beta, Tensor::zeros({3, 4}), mean, variance, {});
              }),
              testing::HasSubstr("batch_norm: x is [4, 3] but residual is [3, 4]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::batch_norm(Tensor::zeros({0, 3}), {}, beta, {}, mean, variance, {});
              }),
              testing::HasSubstr("x [0, 3] has no values to normalise"));
  EXPECT_THAT(
      error_of<UsageError>([&] { ops::batch_norm(x, {}, beta, {}, mean, variance, {.activation = Activation::Gelu}); }),
      testing::HasSubstr("None or Relu, not Gelu"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::batch_norm_backward(x, {}, {}, mean, variance, x, Residual::None,
                                         {.activation = Activation::Relu});
              }),
              testing::HasSubstr("batch_norm_backward: y is undefined"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                Tensor y = Tensor::zeros({4, 5});
                std::vector<BatchNormPart> parts{
                    {.x = x, .first = 3, .beta = beta, .running_mean = mean, .running_variance = variance}};
                ops::batch_norm_parts(parts, {}, {}, y);
              }),
              testing::HasSubstr("batch_norm: x [4, 3] cannot be channels 3 to 6 of y [4, 5]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                batch_norm({Variable(x), Variable(x)}, {}, Variable(beta), {}, {mean, variance}, Moments::OfBatch, {});
              }),
              testing::HasSubstr("2 parts have 6 channels together, gamma, beta or the running moments are [3]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                std::vector<BatchNormPart> none;
                Tensor y;
                ops::batch_norm_parts(none, {}, {}, y);
              }),
              testing::HasSubstr("batch_norm: no parts given"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                std::vector<BatchNormPartGradients> gradients{{{}, Tensor::zeros({3}), {}}};
                Tensor no_residual;
                const std::vector<BatchNormPart> parts{{.x = x, .mean = mean, .inverse_std = variance}};
                ops::batch_norm_parts_backward(parts, {}, x, {}, gradients, no_residual);
              }),
              testing::HasSubstr("batch_norm_backward: dgamma without gamma"));
}

}  // namespace
}  // namespace avs
