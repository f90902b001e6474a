#include "tensor/ops/linear.h"

#include "cuda/api.h"
#include "tensor/ops/cast.h"
#include "tests/op_case.h"
#include "tests/reference/gelu.h"
#include "tests/reference/linear.h"

namespace avs {
namespace {

struct LinearShapes {
  Shape x, w;
};
const std::vector<LinearShapes> kLinearShapes = {
    {{3, 5}, {7, 5}}, {{2, 3, 4, 6}, {5, 6}}, {{1, 1}, {1, 1}}, {{17, 33}, {19, 33}}};

Vector transposed(const Vector& x, int64_t columns) {
  Vector y;
  for (size_t c = 0; c < static_cast<size_t>(columns); ++c)
    for (size_t at = c; at < x.size(); at += static_cast<size_t>(columns)) y.push_back(x[at]);
  return y;
}

TEST(Linear, MatchesTheOracle) {
  for (const Device device : devices())
    for (const auto& [x, w] : kLinearShapes) {
      check_op({str("linear ", x, " * ", w),
                {x, w, {w[0]}},
                [](const auto& v) { return linear(v[0], v[1], v[2]); },
                [w = w](const auto& in) { return reference::linear(in[0], in[1], in[2], w[1], w[0]); }},
               device);
      check_op({str("linear ", x, " * ", w, " without bias"),
                {x, w},
                [](const auto& v) { return linear(v[0], v[1], Variable()); },
                [w = w](const auto& in) { return reference::linear(in[0], in[1], {}, w[1], w[0]); }},
               device);
    }
}

TEST(LinearGelu, MatchesTheOracle) {
  for (const Device device : devices())
    for (const auto& [x, w] : kLinearShapes)
      check_op(
          {str("linear_gelu ", x, " * ", w),
           {x, w, {w[0]}},
           [](const auto& v) { return linear_gelu(v[0], v[1], v[2]); },
           [w = w](const auto& in) { return reference::gelu(reference::linear(in[0], in[1], in[2], w[1], w[0])); }},
          device);
}

OpCase mlp_case(const Shape& x, int64_t hidden, int64_t out) {
  const int64_t in = x[-1];
  return {str("mlp ", x, " * ", hidden, " * ", out),
          {x, {hidden, in}, {hidden}, {out, hidden}, {out}},
          [](const auto& v) { return mlp(v[0], v[1], v[2], v[3], v[4]); },
          [=](const auto& v) {
            const Vector h = reference::gelu(reference::linear(v[0], v[1], v[2], in, hidden));
            return reference::linear(h, v[3], v[4], hidden, out);
          }};
}

TEST(Mlp, MatchesTheOracle) {
  for (const Device device : devices()) {
    check_op(mlp_case({2, 3, 5}, 8, 4), device);
    check_op(mlp_case({7, 16}, 24, 16), device);
    check_op(mlp_case({1, 1}, 1, 1), device);
  }
}

// One function or two: the same value and the same gradients, also if only some gradients are needed.
TEST(Mlp, IsItsTwoLayers) {
  for (const Device device : devices())
    for (int frozen = 0; frozen < 6; ++frozen) {
      const auto inputs = [&] {
        std::vector<Variable> v;
        for (const Shape& shape : {Shape{33, 8}, Shape{16, 8}, Shape{16}, Shape{8, 16}, Shape{8}})
          v.emplace_back(random_tensor(shape, 3 + v.size(), DType::F32, device), static_cast<int>(v.size()) != frozen);
        return v;
      };
      const std::vector<Variable> a = inputs(), b = inputs();
      const Variable one = mlp(a[0], a[1], a[2], a[3], a[4]), two = linear(linear_gelu(b[0], b[1], b[2]), b[3], b[4]);
      const Tensor dy = random_tensor({33, 8}, 9, DType::F32, device);
      one.backward(dy);
      two.backward(dy);
      EXPECT_EQ(to_double(one.value()), to_double(two.value()));
      for (size_t i = 0; i < a.size(); ++i) {
        ASSERT_EQ(a[i].grad().defined(), b[i].grad().defined()) << i;
        if (a[i].grad().defined()) {
          EXPECT_LT(relative_error(to_double(a[i].grad()), to_double(b[i].grad())), 1e-6) << i;
        }
      }
    }
}

// The option --fast uses the library's epilogues for shapes that they support; the error is at most that of the
// approximation, 5e-4 (times the next layer's sums).
TEST(Mlp, ByTheTanhApproximationIsNearTheOracle) {
  for (const Device device : devices())
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 2e-3}, {DType::BF16, 2e-2}, {DType::F16, 4e-3}}) {
      if (!device.is_cuda()) continue;
      std::vector<Variable> exact, tanh;
      for (const Shape& shape : {Shape{33, 16}, Shape{64, 16}, Shape{64}, Shape{16, 64}, Shape{16}}) {
        const bool is_x = exact.empty();
        const Tensor value = random_tensor(shape, 3 + exact.size(), is_x ? dtype : DType::F32, device);
        exact.emplace_back(value, true);
        tanh.emplace_back(value, true);
      }
      const Tensor dy = random_tensor({33, 16}, 9, dtype, device);
      const auto run = [&](const std::vector<Variable>& v) {
        const Variable y = mlp(v[0], v[1], v[2], v[3], v[4]);
        y.backward(dy);
        return to_double(y.value());
      };
      const Vector expected = run(exact);
      cuda::set_arithmetic({.tanh_gelu = true});
      const Vector got = run(tanh);
      cuda::set_arithmetic({});
      EXPECT_LT(relative_error(got, expected), tolerance) << dtype;
      if (dtype == DType::F32 && cuda::libraries().starts_with("cuBLASLt") && cuda::missing_libraries().empty()) {
        EXPECT_GT(relative_error(got, expected), 1e-6) << "no epilogue did it";
      }
      for (size_t i = 0; i < exact.size(); ++i)
        EXPECT_LT(relative_error(to_double(tanh[i].grad()), to_double(exact[i].grad())), tolerance)
            << i << ", " << dtype;
    }
}

// Inference fuses operations that training keeps separate; both must be the same function. More rows than one block
// has.
TEST(LinearGelu, IsTheSameFunctionInInference) {
  const int64_t rows = 1031, in = 24, out = 40;
  const Vector x = reference::random_vector(rows * in, 1), w = reference::random_vector(out * in, 2),
               bias = reference::random_vector(out, 3);
  const Vector before = reference::linear(x, w, bias, in, out);
  Vector relu = before;
  for (double& v : relu) v = std::max(v, 0.0);
  for (const Device device : devices()) {
    const Tensor tx = to_tensor(x, {rows, in}, device), tw = to_tensor(w, {out, in}, device),
                 tb = to_tensor(bias, {out}, device);
    EXPECT_LT(relative_error(to_double(ops::linear(tx, tw, tb, Activation::Gelu)), reference::gelu(before)), 1e-6);
    EXPECT_LT(relative_error(to_double(ops::linear_gelu(tx, tw, tb).y), reference::gelu(before)), 1e-6);
    EXPECT_LT(relative_error(to_double(ops::linear_gelu(tx, tw, tb).pre), before), 1e-6);
    EXPECT_LT(relative_error(to_double(ops::linear(tx, tw, tb, Activation::Relu)), relu), 1e-6);
  }
}

// 16-bit activations with f32 masters, on devices that compute in 16 bits, compared with the oracle of the rounded
// inputs. 70 rows and odd widths leave a tail in every direction.
TEST(Linear, ComputesIn16BitsWithinTheirRounding) {
  for (const Device device : devices())
    for (const auto& [dtype, tolerance] : {std::pair{DType::BF16, 1e-2}, {DType::F16, 2e-3}})
      for (const auto& [in, out] : {std::pair<int64_t, int64_t>{24, 40}, {23, 41}}) {
        if (!device.is_cuda()) continue;
        const int64_t rows = 70;
        const auto rounded = [&, dtype = dtype](int64_t n, uint64_t seed, const Shape& shape) {
          return ops::cast(to_tensor(reference::random_vector(n, seed), shape, device), dtype);
        };
        const Tensor x = rounded(rows * in, 1, {rows, in}), dy = rounded(rows * out, 2, {rows, out});
        const Tensor w = ops::cast(rounded(out * in, 3, {out, in}), DType::F32);
        const Vector bias = reference::random_vector(out, 4);
        const Vector before = reference::linear(to_double(x), to_double(w), bias, in, out);
        const Tensor tb = to_tensor(bias, {out}, device);
        const LinearGeluResult trained = ops::linear_gelu(x, w, tb);
        EXPECT_EQ(trained.y.dtype(), dtype);
        EXPECT_LT(relative_error(to_double(trained.pre), before), tolerance);
        EXPECT_LT(relative_error(to_double(trained.y), reference::gelu(before)), tolerance);
        EXPECT_LT(relative_error(to_double(ops::linear(x, w, tb, Activation::Gelu)), reference::gelu(before)),
                  tolerance);
        EXPECT_LT(relative_error(to_double(ops::linear(x, w, {})),
                                 reference::linear(to_double(x), to_double(w), {}, in, out)),
                  tolerance);
        // dx = dy w is a layer with the transposed weight; dw = dy^T x likewise.
        const Tensor dx = ops::linear_backward_input({rows, in}, w, dy),
                     dw = ops::linear_backward_weight(x, {out, in}, dy);
        const Vector w_t = transposed(to_double(w), in), x_t = transposed(to_double(x), in),
                     dy_t = transposed(to_double(dy), out);
        EXPECT_EQ(dx.dtype(), dtype);
        EXPECT_LT(relative_error(to_double(dx), reference::linear(to_double(dy), w_t, {}, out, in)), tolerance);
        EXPECT_EQ(dw.dtype(), DType::F32);
        EXPECT_LT(relative_error(to_double(dw), reference::linear(dy_t, x_t, {}, rows, in)), 1e-5);
      }
}

TEST(Linear, ExplainsFeaturesThatDoNotFit) {
  const Tensor x = Tensor::zeros({4, 10});
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::linear(x, Tensor::zeros({3, 8}), {});
              }),
              testing::HasSubstr("linear: input [4, 10] has 10 features, weight [3, 8] takes 8"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::linear(x, Tensor::zeros({3, 10}), Tensor::zeros({10}));
              }),
              testing::HasSubstr("needs a bias [3], got [10]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::linear_backward_weight(x, {3, 10}, Tensor::zeros({4, 2}));
              }),
              testing::HasSubstr("the output is [4, 3] but dy is [4, 2]"));
}

}  // namespace
}  // namespace avs
