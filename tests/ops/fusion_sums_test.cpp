#include "tensor/ops/fusion_sums.h"

#include "tests/op_case.h"
#include "tests/reference/fusion_sums.h"

namespace avs {
namespace {

std::string name_of(const FusionSpec& spec) {
  return str(spec.sound, " of sound, ", spec.join == FusionJoin::Sum ? "summed" : "side by side",
             spec.activation == Activation::Relu ? ", relu" : "");
}

// Inputs: x_0 .. x_k-1, w_0 .. w_k-1, bias_0, bias_1 and, for a sum, v_0, v_1, c.
OpCase fusion_case(int64_t n, int64_t d, size_t k, FusionSpec spec) {
  std::vector<Shape> shapes(k, Shape{n, d});
  const bool summed = spec.join == FusionJoin::Sum;
  shapes.resize(2 * k + (summed ? 5 : 2), Shape{d});
  return {.name = str("fusion_sums of ", k, " [", n, ", ", d, "], ", name_of(spec)),
          .inputs = shapes,
          .engine =
              [=](const auto& in) {
                const auto parameters = in.begin() + static_cast<int64_t>(k);
                FusionVariables p{.w = {parameters, parameters + static_cast<int64_t>(k)},
                                  .bias = {in[2 * k], in[2 * k + 1]},
                                  .v = {},
                                  .c = {}};
                if (summed) {
                  p.v = {in[2 * k + 2], in[2 * k + 3]};
                  p.c = in[2 * k + 4];
                }
                return fusion_sums({in.begin(), parameters}, p, spec);
              },
          .oracle =
              [=](const auto& in) {
                const auto parameters = in.begin() + static_cast<int64_t>(k);
                return reference::fusion_sums(
                    {in.begin(), parameters}, {parameters, parameters + static_cast<int64_t>(k)},
                    static_cast<size_t>(spec.sound), &in[2 * k], summed ? &in[2 * k + 2] : nullptr,
                    summed ? in[2 * k + 4] : Vector(), spec.activation == Activation::Relu);
              },
          .draw = {}};
}

std::vector<FusionSpec> specs(int64_t sound) {
  std::vector<FusionSpec> all;
  for (const FusionJoin join : {FusionJoin::SideBySide, FusionJoin::Sum})
    for (const Activation activation : {Activation::None, Activation::Relu}) all.push_back({sound, join, activation});
  return all;
}

TEST(FusionSums, MatchTheOracleInEveryForm) {
  for (const Device device : devices())
    for (const auto& [k, sound] : {std::pair<size_t, int64_t>{5, 3}, {2, 1}, {4, 1}, {6, 3}})
      for (const FusionSpec& spec : specs(sound)) {
        check_op(fusion_case(5, 10, k, spec), device);
        check_op(fusion_case(3, 7, k, spec), device);
      }
}

// ---- larger, and in 16 bits: compared with the CPU, which is compared with the oracle ----

struct Inputs {
  std::vector<Tensor> x;
  FusionParameters parameters;
  Tensor dy;
};

Inputs inputs_of(int64_t n, int64_t d, size_t k, const FusionSpec& spec, DType dtype, Device device) {
  Inputs in;
  uint64_t seed = 0;
  for (size_t i = 0; i < k; ++i) in.x.push_back(random_tensor({n, d}, ++seed, dtype, device));
  const auto parameter = [&] { return random_tensor({d}, ++seed, DType::F32, device); };
  for (size_t i = 0; i < k; ++i) in.parameters.w.push_back(parameter());
  for (Tensor& bias : in.parameters.bias) bias = parameter();
  if (spec.join == FusionJoin::Sum) {
    for (Tensor& v : in.parameters.v) v = parameter();
    in.parameters.c = parameter();
  }
  in.dy = random_tensor({n, spec.join == FusionJoin::Sum ? d : 2 * d}, ++seed, dtype, device);
  return in;
}

Inputs on_cpu(const Inputs& in) {
  Inputs there;
  for (const Tensor& x : in.x) there.x.push_back(on_cpu_in_f32(x));
  for (const Tensor& w : in.parameters.w) there.parameters.w.push_back(on_cpu_in_f32(w));
  for (size_t k = 0; k < 2; ++k) {
    there.parameters.bias[k] = on_cpu_in_f32(in.parameters.bias[k]);
    there.parameters.v[k] = on_cpu_in_f32(in.parameters.v[k]);
  }
  there.parameters.c = on_cpu_in_f32(in.parameters.c);
  there.dy = on_cpu_in_f32(in.dy);
  return there;
}

void expect_near(const Tensor& got, const Tensor& expected, double tolerance) {
  ASSERT_EQ(got.defined(), expected.defined());
  if (!got.defined()) return;
  EXPECT_LT(relative_error(to_double(got), to_double(expected)), tolerance);
}

void agrees_with_the_cpu(int64_t n, int64_t d, size_t k, const FusionSpec& spec, DType dtype, Device device) {
  SCOPED_TRACE(str(k, " [", n, ", ", d, "], ", name_of(spec), " in ", dtype, " on ", device));
  const Inputs in = inputs_of(n, d, k, spec, dtype, device), same = on_cpu(in);
  const double tolerance = dtype == DType::F32 ? 1e-6 : 4e-3;
  const Tensor y = ops::fusion_sums(in.x, in.parameters, spec);
  EXPECT_EQ(y.dtype(), dtype);
  expect_near(y, ops::fusion_sums(same.x, same.parameters, spec), tolerance);
  const FusionGradients got = ops::fusion_sums_backward(in.x, in.parameters, in.dy, spec),
                        expected = ops::fusion_sums_backward(same.x, same.parameters, same.dy, spec);
  for (size_t i = 0; i < k; ++i) {
    expect_near(got.dx[i], expected.dx[i], tolerance);
    expect_near(got.of.w[i], expected.of.w[i], 1e-5);
  }
  for (size_t g = 0; g < 2; ++g) {
    expect_near(got.of.bias[g], expected.of.bias[g], 1e-5);
    expect_near(got.of.v[g], expected.of.v[g], 1e-5);
  }
  expect_near(got.of.c, expected.of.c, 1e-5);
}

TEST(FusionSums, CoverLargeEmbeddingsOnEveryDevice) {
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;
    for (const FusionSpec& spec : specs(3)) {
      agrees_with_the_cpu(67, 260, 5, spec, DType::F32, device);
      agrees_with_the_cpu(301, 13, 5, spec, DType::F32, device);
    }
  }
}

TEST(FusionSums, WorkOnShortTypes) {
  for (const auto& [device, dtype] : short_types())
    for (const FusionSpec& spec : specs(2)) {
      agrees_with_the_cpu(33, 64, 4, spec, dtype, device);
      agrees_with_the_cpu(33, 9, 4, spec, dtype, device);
    }
}

TEST(FusionSums, RefuseWhatDoesNotFit) {
  Inputs in = inputs_of(2, 3, 3, {.sound = 2}, DType::F32, kCpu);
  const auto message = [&](const FusionSpec& spec) {
    return error_of<Error>([&] { ops::fusion_sums(in.x, in.parameters, spec); });
  };
  EXPECT_THAT(message({.sound = 3}), testing::HasSubstr("3 of 3 tensors are sound; each group has 1 to 3"));
  EXPECT_THAT(message({.sound = 2, .activation = Activation::Gelu}), testing::HasSubstr("None or Relu, not Gelu"));
  EXPECT_THAT(message({.sound = 2, .join = FusionJoin::Sum}), testing::HasSubstr("v[0]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::fusion_sums_backward(in.x, in.parameters, Tensor::zeros({2, 3}), {.sound = 2});
              }),
              testing::HasSubstr("dy must be f32 [2, 6] on cpu, got f32 [2, 3]"));
  in.parameters.w.pop_back();
  EXPECT_THAT(message({.sound = 2}), testing::HasSubstr("got 3 tensors and 2 weights"));
}

}  // namespace
}  // namespace avs
