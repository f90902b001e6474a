#include "tensor/ops/scale_channels.h"

#include "tests/op_case.h"
#include "tests/reference/scale_channels.h"

namespace avs {
namespace {

OpCase scale_case(Shape shape) {
  return {str("scale_channels ", shape),
          {shape, {shape[-1]}},
          [](const auto& v) { return scale_channels(v[0], v[1]); },
          [](const auto& x) { return reference::scale_channels(x[0], x[1]); }};
}

OpCase residual_case(Shape shape) {
  return {str("scale_residual ", shape),
          {shape, {shape[-1]}, shape},
          [](const auto& v) { return scale_residual(v[0], v[1], v[2]); },
          [](const auto& x) { return reference::scale_residual(x[0], x[1], x[2]); }};
}

TEST(ScaleChannels, MatchesTheOracleWithAndWithoutResidual) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1, 1}, Shape{7, 31}, Shape{2, 3, 3, 5}, Shape{3, 96}}) {
      check_op(scale_case(shape), device);
      check_op(residual_case(shape), device);
    }
}

TEST(ScaleChannels, CoversEveryElementOfLargeTensors) {
  for (const auto& [rows, c] : {std::pair{4001, 96}, {20011, 6}}) {
    const Vector x = reference::random_vector(int64_t{rows} * c, 3), gain = reference::random_vector(c, 4);
    for (const Device device : devices())
      EXPECT_LT(
          relative_error(to_double(ops::scale_residual(to_tensor(x, {rows, c}, device), to_tensor(gain, {c}, device),
                                                       to_tensor(x, {rows, c}, device))),
                         reference::scale_residual(x, gain, x)),
          1e-6);
  }
}

// dgain by its formula: finite differences would cost the square of the size.
Vector gain_gradient(const Vector& x, const Vector& dy, size_t c) {
  Vector sums(c);
  for (size_t i = 0; i < x.size(); ++i) sums[i % c] += x[i] * dy[i];
  return sums;
}

TEST(ScaleChannels, SumsTheGradientOfTheGainOverEveryRow) {
  for (const auto& [rows, c] : {std::pair{3001, 96}, {9001, 7}, {40, 300}}) {
    const Vector x = reference::random_vector(int64_t{rows} * c, 3),
                 dy = reference::random_vector(int64_t{rows} * c, 5);
    const Vector gain = reference::random_vector(c, 4);
    for (const Device device : devices()) {
      const ScaleChannelsGradients g = ops::scale_channels_backward(
          to_tensor(x, {rows, c}, device), to_tensor(gain, {c}, device), to_tensor(dy, {rows, c}, device));
      EXPECT_LT(relative_error(to_double(g.dx), reference::scale_channels(dy, gain)), 1e-6) << c << " on " << device;
      EXPECT_LT(relative_error(to_double(g.dgain), gain_gradient(x, dy, static_cast<size_t>(c))), 1e-5)
          << c << " on " << device;
    }
  }
}

TEST(ScaleChannels, WorksOnShortTypes) {
  for (const auto& [device, dtype] : short_types())
    for (const auto& [rows, c] : {std::pair{501, 24}, {301, 7}}) {
      const Tensor x = to_short(reference::random_vector(int64_t{rows} * c, 3), {rows, c}, device, dtype);
      const Tensor dy = to_short(reference::random_vector(int64_t{rows} * c, 5), {rows, c}, device, dtype);
      const Vector gain = reference::random_vector(c, 4);
      const Tensor gains = to_tensor(gain, {c}, device);
      EXPECT_LT(relative_error(to_double(ops::scale_residual(x, gains, dy)),
                               reference::scale_residual(to_double(x), gain, to_double(dy))),
                3e-3);
      EXPECT_LT(relative_error(to_double(ops::scale_channels(x, gains)), reference::scale_channels(to_double(x), gain)),
                3e-3);
      const ScaleChannelsGradients g = ops::scale_channels_backward(x, gains, dy);
      EXPECT_EQ(g.dx.dtype(), dtype);
      EXPECT_EQ(g.dgain.dtype(), DType::F32);
      EXPECT_LT(relative_error(to_double(g.dx), reference::scale_channels(to_double(dy), gain)), 3e-3);
      EXPECT_LT(relative_error(to_double(g.dgain), gain_gradient(to_double(x), to_double(dy), static_cast<size_t>(c))),
                1e-5);
    }
}

TEST(ScaleChannels, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::scale_channels(Tensor::zeros({4, 3}), Tensor::zeros({4}));
              }),
              testing::HasSubstr("scale_channels: x [4, 3] has 3 channels, so gain must be [3], got [4]"));
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::scale_residual(Tensor::zeros({4, 3}), Tensor::zeros({3}), Tensor::zeros({3, 4}));
              }),
              testing::HasSubstr("scale_residual: x is [4, 3] but residual is [3, 4]"));
}

}  // namespace
}  // namespace avs
