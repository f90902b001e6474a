#include "tensor/ops/batch_norm.h"

#include <cmath>
#include <numeric>

#include "tensor/ops/concat.h"
#include "tensor/parallel.h"
#include "tests/op_case.h"
#include "tests/reference/batch_norm.h"
#include "tests/reference/concat.h"

namespace avs {
namespace {

enum class Gamma : uint8_t { Absent, Learned };
enum class Residual : uint8_t { None, Added };

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
                return batch_norm({in.x}, in.gamma, in.beta, in.residual, {mean, variance},
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
                                  {.epsilon = 0.01f, .activation = variant.activation, .moments = Moments::Running});
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

struct Result {
  Tensor y;
  BatchNormMoments moments;
};

// One whole tensor.
Result forward(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual, RunningMoments running,
               BatchNormSpec spec) {
  std::vector<ChannelSlice> y{Tensor::empty(x.shape(), x.dtype(), x.device())};
  const BatchNormMoments moments = ops::batch_norm({x}, gamma, beta, residual, running, spec, y);
  return {y[0].whole, moments};
}

BatchNormGradients backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const BatchNormMoments& moments,
                            const Tensor& dy, Residual residual, BatchNormSpec spec) {
  const auto like_x = [&] { return Tensor::empty(x.shape(), x.dtype(), x.device()); };
  BatchNormGradients gradients{{like_x()}, {}, {}, residual == Residual::Added ? like_x() : Tensor()};
  ops::batch_norm_backward({x}, {y}, gamma, moments, {dy}, spec, gradients);
  return gradients;
}

Result run(const Large& in, const RunningMoments& running, BatchNormSpec spec, Device device = kCpu) {
  return forward(to_tensor(in.x, in.shape, device), to_tensor(in.gamma, {in.shape[1]}, device),
                 to_tensor(in.beta, {in.shape[1]}, device), {}, running, spec);
}

RunningMoments moments_of(int64_t c, float mean, float variance, Device device) {
  return {Tensor::full({c}, mean, device), Tensor::full({c}, variance, device)};
}

TEST(BatchNorm, CoversEveryElementOfLargeTensors) {
  for (const auto& [rows, c] : {std::pair{70001, 6}, {9001, 48}, {4001, 192}, {331, 2048}, {301, 132}}) {
    const Large in = large_case(rows, c);
    for (const Device device : devices()) {
      EXPECT_LT(relative_error(to_double(run(in, moments_of(c, 0, 0, device), {}, device).y),
                               reference::batch_norm(in.x, in.gamma, in.beta, {}, double{1e-3f})),
                1e-6)
          << rows << " x " << c << " on " << device;
    }
  }
}

struct Everything {
  Result forward;
  RunningMoments running;
  BatchNormGradients gradients;
};

// `mask`: its sign is the ReLU's mask.
Everything everything(const Variant& variant, Moments kind, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                      const Tensor& residual, const Tensor& dy, const Tensor& mask) {
  const BatchNormSpec spec{.activation = variant.activation, .moments = kind};
  Everything e;
  e.running = {beta.clone(), Tensor::full(beta.shape(), 1.5f, beta.device())};
  e.forward = forward(x, gamma, beta, residual, e.running, spec);
  e.gradients = backward(x, mask, gamma, e.forward.moments, dy, variant.residual, spec);
  return e;
}

void expect_alike(const BatchNormGradients& got, const BatchNormGradients& expected, DType dtype, double tolerance) {
  const auto alike = [](const Tensor& a, const Tensor& b, DType type, double most, const char* name) {
    ASSERT_EQ(a.defined(), b.defined()) << name;
    if (!a.defined()) return;
    EXPECT_EQ(a.dtype(), type) << name;
    EXPECT_LT(relative_error(to_double(a), to_double(b)), most) << name;
  };
  alike(got.dx[0], expected.dx[0], dtype, tolerance, "dx");
  alike(got.dgamma, expected.dgamma, DType::F32, 1e-5, "dgamma");
  alike(got.dbeta, expected.dbeta, DType::F32, 1e-5, "dbeta");
  alike(got.dresidual, expected.dresidual, dtype, tolerance, "dresidual");
}

void follow_the_cpu(const Shape& shape, const Variant& variant, Moments kind, DType dtype, double tolerance,
                    Device device) {
  SCOPED_TRACE(str(name_of("batch_norm", shape, variant), " ", dtype, " on ", device));
  const Shape channels{shape[-1]};
  const Tensor x = random_tensor(shape, 1, dtype, device), dy = random_tensor(shape, 2, dtype, device);
  const Tensor beta = random_tensor(channels, 3, DType::F32, device), mask = random_tensor(shape, 4, dtype, device);
  const Tensor gamma = variant.gamma == Gamma::Learned ? random_tensor(channels, 5, DType::F32, device) : Tensor();
  const Tensor residual = variant.residual == Residual::Added ? random_tensor(shape, 6, dtype, device) : Tensor();
  const auto here = on_cpu_in_f32;
  const Everything got = everything(variant, kind, x, gamma, beta, residual, dy, mask);
  const Everything expected =
      everything(variant, kind, here(x), here(gamma), here(beta), here(residual), here(dy), here(mask));
  EXPECT_EQ(got.forward.y.dtype(), dtype);
  const auto error = [](const Tensor& a, const Tensor& b) { return relative_error(to_double(a), to_double(b)); };
  EXPECT_LT(error(got.forward.y, expected.forward.y), tolerance);
  EXPECT_LT(error(got.forward.moments.mean, expected.forward.moments.mean), 1e-5);
  EXPECT_LT(error(got.forward.moments.inverse_std, expected.forward.moments.inverse_std), 1e-6);
  EXPECT_LT(error(got.running.mean, expected.running.mean), 1e-6);
  EXPECT_LT(error(got.running.variance, expected.running.variance), 1e-6);
  expect_alike(got.gradients, expected.gradients, dtype, tolerance);
}

// Vectors, rows folded into vectors, and scalars; each with several blocks and a shorter last one.
TEST(BatchNorm, FollowsTheCpuInEveryTypeOfAGpu) {
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;  // the CPU computes in f32 only
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 1e-5}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const Shape& shape : {Shape{2003, 48}, Shape{1204, 12}, Shape{333, 5}})
        for (const Variant& variant : kVariants)
          for (const Moments kind : {Moments::OfBatch, Moments::Running})
            follow_the_cpu(shape, variant, kind, dtype, tolerance, device);
  }
}

// ---- several tensors of x and slices of y ----

// Inputs: the parts of x, beta, then gamma and residual if the variant has them. Without `slices`, y is one tensor.
// Otherwise it has so many channels in each slice: the last is a tensor of its own, the others share one.
OpCase sliced_case(const std::vector<int64_t>& channels, const std::vector<int64_t>& slices, Moments kind,
                   const Variant& variant) {
  const auto count = static_cast<ptrdiff_t>(channels.size());
  const int64_t width = std::accumulate(channels.begin(), channels.end(), int64_t{0});
  std::vector<Shape> shapes;
  for (const int64_t c : channels) shapes.push_back({2, 3, 2, c});
  const std::vector<Shape> others = shapes_of({2, 3, 2, width}, variant);
  shapes.insert(shapes.end(), others.begin() + 1, others.end());
  const reference::Moments m = fixed_moments(static_cast<size_t>(width));
  // x whole, then the others.
  const auto whole = [=](const auto& v, auto x) {
    std::decay_t<decltype(v)> all{x};
    all.insert(all.end(), v.begin() + count, v.end());
    return Inputs<typename std::decay_t<decltype(v)>::value_type>(all, variant);
  };
  return {
      .name = str(name_of("batch_norm of parts", {2, 3, 2, width}, variant), " to ", slices.size(), " slices"),
      .inputs = shapes,
      .engine =
          [=](const auto& v) {
            const auto in = whole(v, Variable());
            const Device device = v[0].value().device();
            const RunningMoments running{to_tensor(m.mean, {width}, device), to_tensor(m.variance, {width}, device)};
            const BatchNormSpec spec{.epsilon = 0.01f, .activation = variant.activation, .moments = kind};
            const std::vector<Variable> x(v.begin(), v.begin() + count);
            if (slices.empty()) return batch_norm(x, in.gamma, in.beta, in.residual, running, spec);
            const Tensor y = Tensor::empty({2, 3, 2, width}, DType::F32, device);
            std::vector<ChannelSlice> places;
            int64_t first = 0;
            for (const int64_t c : slices) {
              places.push_back(first + c < width ? ChannelSlice(y, first, c)
                                                 : Tensor::empty({2, 3, 2, c}, DType::F32, device));
              first += c;
            }
            std::vector<Variable> parts = batch_norm(x, in.gamma, in.beta, {}, running, spec, places);
            parts.back() = write_channels(parts.back(), {y, width - slices.back(), slices.back()});
            return join(parts);
          },
      .oracle =
          [=](const auto& v) {
            const std::vector<Vector> parts(v.begin(), v.begin() + count);
            const auto in = whole(v, reference::concat(parts, {channels.begin(), channels.end()}));
            return activated(kind == Moments::Running
                                 ? reference::normalise(in.x, m, in.gamma, in.beta, in.residual, double{0.01f})
                                 : reference::batch_norm(in.x, in.gamma, in.beta, in.residual, double{0.01f}),
                             variant);
          },
      .draw = {}};
}

TEST(BatchNorm, OfPartsIsThatOfTheirConcat) {
  for (const Device device : devices())
    for (const Moments kind : {Moments::OfBatch, Moments::Running})
      for (const std::vector<int64_t>& channels :
           {std::vector<int64_t>{4, 8}, {3, 1, 5}, {8, 8, 8, 8}, {12, 64}, std::vector<int64_t>(8, 4)})
        for (const Variant& variant : kVariants) check_op(sliced_case(channels, {}, kind, variant), device);
}

TEST(BatchNorm, WritesSlicesOfTensors) {
  using List = std::vector<int64_t>;
  for (const Device device : devices())
    for (const Moments kind : {Moments::OfBatch, Moments::Running})
      for (const auto& [channels, slices] : {std::pair<List, List>{{24}, {8, 16}},
                                             {{24}, {8, 4, 12}},
                                             {{15}, {3, 5, 7}},
                                             {{16, 8}, {16, 8}},
                                             {{4, 8, 12}, {16, 8}},
                                             {{80}, {40, 40}}})
        for (const Variant& variant : kVariants)
          if (variant.residual == Residual::None) check_op(sliced_case(channels, slices, kind, variant), device);
}

// In the short types too, vectors and scalars, several blocks of rows: within rounding the whole tensor gives the same.
TEST(BatchNorm, OfPartsFollowsTheWholeInEveryType) {
  for (const Device device : devices())
    for (const auto& [type, tolerance] : {std::pair{DType::F32, 1e-5}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const std::vector<int64_t>& channels :
           {std::vector<int64_t>{16, 32, 16}, {5, 12}, std::vector<int64_t>(8, 8)}) {
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
        const auto run_parts = [&](const std::vector<Variable>& x) {
          const Variable gamma(random_tensor({width}, 2, DType::F32, device), true),
              beta(random_tensor({width}, 3, DType::F32, device), true);
          const Variable residual(random_tensor({rows, width}, 4, dtype, device), true);
          const RunningMoments running = moments_of(width, 0, 0, device);
          const Variable y = batch_norm(x, gamma, beta, residual, running, {.activation = Activation::Relu});
          y.backward(random_tensor({rows, width}, 5, dtype, device));
          return std::vector<Tensor>{y.value(),    running.mean, running.variance,
                                     gamma.grad(), beta.grad(),  residual.grad()};
        };
        const std::vector<Tensor> got = run_parts(parts), expected = run_parts({concat(copies)});
        for (size_t i = 0; i < got.size(); ++i)
          EXPECT_LT(relative_error(to_double(got[i]), to_double(expected[i])), tolerance) << i << " in " << dtype;
        for (size_t i = 0; i < parts.size(); ++i)
          EXPECT_LT(relative_error(to_double(parts[i].grad()), to_double(copies[i].grad())), tolerance)
              << i << " in " << dtype;
      }
}

TEST(BatchNorm, LeavesTheOtherChannelsAlone) {
  for (const Device device : devices()) {
    const Tensor x = random_tensor({6, 3}, 1, DType::F32, device), dy = random_tensor({6, 5}, 2, DType::F32, device);
    RunningMoments running = moments_of(3, 0.5f, 2, device);
    std::vector<ChannelSlice> y{{Tensor::zeros({6, 5}, DType::F32, device), 2, 3}};
    const BatchNormMoments moments = ops::batch_norm({x}, {}, Tensor::full({3}, 0.25f, device), {}, running, {}, y);
    EXPECT_EQ(to_double(ops::slice_channels(y[0].whole, 0, 2)), Vector(12, 0.0)) << device;
    BatchNormGradients gradients{{}, {}, {}, Tensor::zeros({6, 5}, DType::F32, device)};
    ops::batch_norm_backward({x}, y, {}, moments, {{dy, 2, 3}}, {}, gradients);
    EXPECT_EQ(to_double(ops::slice_channels(gradients.dresidual, 2, 3)), to_double(ops::slice_channels(dy, 2, 3)));
    EXPECT_EQ(to_double(ops::slice_channels(gradients.dresidual, 0, 2)), Vector(12, 0.0)) << device;
  }
}

// An output that nobody differentiates counts as one whose gradient is zero.
TEST(BatchNorm, OfASliceThatNobodyReadsHasNoGradientThere) {
  for (const Device device : devices()) {
    const Variable x(random_tensor({9, 4}, 1, DType::F32, device), true);
    const auto own = [&] { return ChannelSlice(Tensor::empty({9, 2}, DType::F32, device)); };
    const std::vector<Variable> y = batch_norm({x}, {}, Variable(Tensor::zeros({4}, DType::F32, device)), {},
                                               moments_of(4, 0, 1, device), {}, {own(), own()});
    y[1].backward(random_tensor({9, 2}, 2, DType::F32, device));
    EXPECT_EQ(to_double(ops::slice_channels(x.grad(), 0, 2)), Vector(18, 0.0)) << device;
    EXPECT_NE(to_double(ops::slice_channels(x.grad(), 2, 2)), Vector(18, 0.0)) << device;
  }
}

TEST(BatchNorm, KeepsTheVarianceOfChannelsFarFromZero) {
  Vector x = reference::random_vector(5000, 3);
  for (double& v : x) v = static_cast<double>(static_cast<float>(v + 1000.0));
  const reference::Moments expected = reference::moments(x, 1);
  for (const Device device : devices()) {
    const RunningMoments running = moments_of(1, 0, 0, device);
    forward(to_tensor(x, {5000, 1}, device), {}, Tensor::zeros({1}, DType::F32, device), {}, running,
            {.new_value_weight = 1.0f});
    EXPECT_NEAR(to_double(running.variance)[0], expected.variance[0] * 5000 / 4999, 1e-5) << device;
    EXPECT_NEAR(to_double(running.mean)[0], expected.mean[0], 1e-4) << device;
  }
}

TEST(BatchNorm, MovesTheRunningStatistics) {
  const Large in = large_case(7, 3);
  const reference::Moments batch = reference::moments(in.x, 3);
  for (const Device device : devices()) {
    const RunningMoments running = moments_of(3, 0.5f, 2, device);
    run(in, running, {.new_value_weight = 0.1f}, device);
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(to_double(running.mean)[k], 0.9 * 0.5 + 0.1 * batch.mean[k], 1e-6) << device;
      EXPECT_NEAR(to_double(running.variance)[k], 0.9 * 2.0 + 0.1 * 7 / 6 * batch.variance[k], 1e-6) << device;
    }
  }
}

TEST(BatchNorm, OfASingleRowIsBetaAndKeepsTheRunningVarianceFinite) {
  for (const Device device : devices()) {
    const RunningMoments running = moments_of(2, 0, 1, device);
    const Result r = forward(Tensor::full({1, 2}, 3.0f, device), {}, Tensor::full({2}, 0.5f, device), {}, running,
                             {.new_value_weight = 0.1f});
    EXPECT_EQ(to_double(r.y), (Vector{0.5, 0.5})) << device;
    for (const double v : to_double(running.variance)) EXPECT_NEAR(v, 0.9, 1e-6) << device;
  }
}

TEST(BatchNorm, DoesNotDependOnTheThreadCount) {
  const Large in = large_case(20000, 12);
  const Tensor dy = to_tensor(reference::random_vector(in.shape.size(), 9), in.shape);
  const BatchNormSpec spec{.activation = Activation::Relu};
  const auto everything = [&](int threads) {
    set_thread_count(threads);
    const RunningMoments running = moments_of(12, 0, 0, kCpu);
    const Result r = run(in, running, spec);
    const BatchNormGradients g =
        backward(to_tensor(in.x, in.shape), r.y, to_tensor(in.gamma, {12}), r.moments, dy, Residual::Added, spec);
    return std::vector<Vector>{to_double(r.y),      to_double(running.variance), to_double(g.dx[0]),
                               to_double(g.dgamma), to_double(g.dbeta),          to_double(g.dresidual)};
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
    const Vector y =
        to_double(forward(x.to(device), {}, beta, {}, moments_of(2, 0, 0, device), {.activation = Activation::Relu}).y);
    EXPECT_TRUE(std::isnan(y[0])) << device;
    EXPECT_FALSE(std::isnan(y[1])) << device;
  }
}

TEST(BatchNorm, RefusesWhatDoesNotFit) {
  const Tensor x = Tensor::zeros({4, 3}), beta = Tensor::zeros({3});
  const RunningMoments running = moments_of(3, 0, 0, kCpu);
  const auto refuses = [&](const std::string& message, const auto& call) {
    EXPECT_THAT(error_of<Error>(call), testing::HasSubstr(message));
  };
  const auto writes = [&](const std::vector<Tensor>& parts, std::vector<ChannelSlice> y) {
    RunningMoments moves = running;
    ops::batch_norm(parts, {}, beta, {}, moves, {}, y);
  };
  refuses("batch_norm: x [4, 3] has 3 channels, so gamma must be [3], got [4]",
          [&] { forward(x, Tensor::zeros({4}), beta, {}, running, {}); });
  refuses("batch_norm: y is [4, 3] but residual is [3, 4]", [&] {
    forward(x, {}, beta, Tensor::zeros({3, 4}), running, {});
  });
  refuses("x [0, 3] has no values to normalise", [&] { forward(Tensor::zeros({0, 3}), {}, beta, {}, running, {}); });
  refuses("None or Relu, not Gelu", [&] { forward(x, {}, beta, {}, running, {.activation = Activation::Gelu}); });
  refuses("batch_norm: x [4, 3] cannot fill channels 3 to 6 of y [4, 5]", [&] {
    writes({x}, {{Tensor::zeros({4, 5}), 3, 3}});
  });
  refuses("batch_norm: x [4, 3] has 3 channels, y 2", [&] { writes({x}, {{Tensor::zeros({4, 5}), 3, 2}}); });
  refuses("batch_norm: x [5, 3] f32 cannot stand beside [4, 3] f32", [&] {
    writes({x, Tensor::zeros({5, 3})}, {Tensor::zeros({4, 6})});
  });
  refuses("x [4, 6] has 6 channels, so beta must be [6], got [3]", [&] { writes({x, x}, {Tensor::zeros({4, 6})}); });
  refuses("batch_norm: 1 to 8 tensors can be normalised at once, got 0", [&] { writes({}, {x}); });
  refuses("batch_norm_backward: y is undefined", [&] {
    backward(x, {}, {}, {beta, beta}, x, Residual::None, {.activation = Activation::Relu});
  });
  refuses("batch_norm_backward: y and dy are not the same channels of [4, 3]", [&] {
    BatchNormGradients gradients;
    ops::batch_norm_backward({x}, {x}, {}, {beta, beta}, {{Tensor::zeros({4, 5}), 1, 3}},
                             {.activation = Activation::Relu}, gradients);
  });
}

}  // namespace
}  // namespace avs
