// Our own matrix product on the emulated device, compared with the definition in double precision: every order of its
// inputs, both tiles, whole packs and single elements, CUDA and tensor cores, whole and split k.
#include <algorithm>
#include <cmath>

#include "cuda/blas.h"
#include "tensor/ops/cast.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/machine.h"
#include "tests/op_case.h"
#include "tests/reference/gelu.h"

namespace avs::cuda {
namespace {

const std::pair<Order, Order> kProductOrders[] = {{Order::Plain, Order::Plain},
                                                  {Order::Plain, Order::Transposed},
                                                  {Order::Transposed, Order::Plain},
                                                  {Order::Transposed, Order::Transposed}};

// The inputs of one product in memory order, rounded to their type.
struct Inputs {
  Vector a, b, bias;
  Tensor device_a, device_b, device_bias;
};

Tensor on_device(const Vector& values, const Shape& shape, DType dtype) {
  return ops::cast(to_tensor(values, shape, kGpu), dtype);
}

Inputs inputs_of(const MatMul& p, DType dtype) {
  Inputs in;
  const Shape a = p.a == Order::Plain ? Shape{p.m, p.k} : Shape{p.k, p.m};
  const Shape b = p.b == Order::Plain ? Shape{p.k, p.n} : Shape{p.n, p.k};
  in.device_a = on_device(reference::random_vector(p.m * p.k, 1), a, dtype);
  in.device_b = on_device(reference::random_vector(p.k * p.n, 2), b, dtype);
  in.bias = reference::random_vector(p.n, 3);
  in.device_bias = to_tensor(in.bias, {p.n}, kGpu);
  in.a = to_double(in.device_a);
  in.b = to_double(in.device_b);
  return in;
}

Vector by_definition(const MatMul& p, const Inputs& in) {
  Vector c;
  for (int64_t i = 0; i < p.m; ++i)
    for (int64_t j = 0; j < p.n; ++j) {
      double sum = in.bias[static_cast<size_t>(j)];
      for (int64_t k = 0; k < p.k; ++k)
        sum += in.a[static_cast<size_t>(p.a == Order::Plain ? i * p.k + k : k * p.m + i)] *
               in.b[static_cast<size_t>(p.b == Order::Plain ? k * p.n + j : j * p.k + k)];
      c.push_back(sum);
    }
  return c;
}

double tolerance_of(DType out) { return out == DType::F32 ? 1e-6 : out == DType::F16 ? 1e-3 : 6e-3; }  // half an ulp

void check(const MatMul& p, DType in_type, DType out_type) {
  SCOPED_TRACE(str(p.m, " x ", p.n, " x ", p.k, p.a == Order::Plain ? ", a" : ", a^T",
                   p.b == Order::Plain ? " b, " : " b^T, ", in_type, " into ", out_type));
  const Inputs in = inputs_of(p, in_type);
  Tensor c = Tensor::empty({p.m, p.n}, out_type, kGpu);
  matmul(p, in.device_a, in.device_b, in.device_bias, c);
  EXPECT_LT(relative_error(to_double(c), by_definition(p, in)), tolerance_of(out_type));
}

TEST(MatMul, IsRightForEveryOrderOfItsInputs) {
  for (const auto& [a, b] : kProductOrders)
    for (const auto& [m, n, k] :
         {std::array<int64_t, 3>{1, 1, 1}, {5, 7, 3}, {33, 17, 65}, {64, 64, 32}, {68, 132, 40}})
      check({.m = m, .n = n, .k = k, .a = a, .b = b}, DType::F32, DType::F32);
}

// 250 lines need two large tiles of 128 or four small ones of 64, the same area, so the large tile is chosen.
TEST(MatMul, IsRightInTheLargeTile) {
  for (const auto& [a, b] : kProductOrders) {
    check({.m = 252, .n = 248, .k = 20, .a = a, .b = b}, DType::F32, DType::F32);
    check({.m = 251, .n = 253, .k = 19, .a = a, .b = b}, DType::F32, DType::F32);
  }
}

TEST(MatMul, IsRightOnTensorCoresForEveryOrderOfItsInputs) {
  for (const DType dtype : {DType::BF16, DType::F16})
    for (const auto& [a, b] : kProductOrders)
      for (const auto& [m, n, k] : {std::array<int64_t, 3>{1, 1, 1}, {33, 17, 65}, {72, 136, 48}}) {
        check({.m = m, .n = n, .k = k, .a = a, .b = b}, dtype, dtype);
        check({.m = m, .n = n, .k = k, .a = a, .b = b}, dtype, DType::F32);
      }
}

TEST(MatMul, IsRightInTheLargeTileOnTensorCores) {
  for (const DType dtype : {DType::BF16, DType::F16})
    for (const auto& [a, b] : kProductOrders) {
      check({.m = 248, .n = 256, .k = 40, .a = a, .b = b}, dtype, dtype);
      check({.m = 251, .n = 253, .k = 37, .a = a, .b = b}, dtype, DType::F32);
    }
}

TEST(MatMul, IsRightIn16BitsOnCudaCores) {
  for (const DType dtype : {DType::BF16, DType::F16})
    for (const auto& [a, b] : kProductOrders)
      check({.m = 36, .n = 70, .k = 21, .a = a, .b = b, .cores = Cores::Cuda}, dtype, dtype);
}

// Like the gradient of a weight: a small output, a long k. The parts need memory, and blocks in any order give the same
// bits.
TEST(MatMul, SplitsALongKAndAddsThePartsInOrder) {
  for (const DType dtype : {DType::F32, DType::BF16})
    for (const int64_t n : {int64_t{36}, int64_t{37}}) {
      const MatMul p{.m = 40, .n = n, .k = 1031, .a = Order::Transposed};
      check(p, dtype, DType::F32);
      const Inputs in = inputs_of(p, dtype);
      Tensor c = Tensor::empty({p.m, p.n}, DType::F32, kGpu);
      std::vector<Vector> results;
      for (const auto order : {emulation::Order::Forward, emulation::Order::Reverse, emulation::Order::Shuffled}) {
        emulation::set_order(order, 7);
        Context& device = avs::context(kGpu);
        const size_t before = device.memory().live_bytes;
        device.reset_peak();
        matmul(p, in.device_a, in.device_b, in.device_bias, c);
        EXPECT_GE(device.memory().peak_bytes, before + 4 * c.bytes());
        results.push_back(to_double(c));
      }
      emulation::set_order(emulation::Order::Forward);
      EXPECT_EQ(results[0], results[1]);
      EXPECT_EQ(results[0], results[2]);
    }
}

TEST(MatMul, ReadsAndWritesViewsThatBeginAnywhere) {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const MatMul p{.m = 20, .n = 24, .k = 16};
    const Vector a = reference::random_vector(p.m * p.k + 1, 1), b = reference::random_vector(p.k * p.n + 1, 2);
    const Tensor all_a = on_device(a, {p.m * p.k + 1}, dtype), all_b = on_device(b, {p.k * p.n + 1}, dtype);
    Tensor all_c = Tensor::zeros({p.m * p.n + 1}, DType::F32, kGpu);
    Tensor c = all_c.view(1, {p.m, p.n});
    Inputs in;
    in.device_a = all_a.view(1, {p.m, p.k});
    in.device_b = all_b.view(1, {p.k, p.n});
    in.a = to_double(in.device_a);
    in.b = to_double(in.device_b);
    in.bias.assign(static_cast<size_t>(p.n), 0.0);
    matmul(p, in.device_a, in.device_b, {}, c);
    EXPECT_LT(relative_error(to_double(c), by_definition(p, in)), 1e-6) << dtype;
    EXPECT_EQ(to_double(all_c)[0], 0.0);
  }
}

TEST(MatMul, AppliesTheActivationAndKeepsWhatItWasAppliedTo) {
  for (const DType dtype : {DType::F32, DType::F16})
    for (const Activation activation : {Activation::Relu, Activation::Gelu})
      for (const int64_t k : {int64_t{24}, int64_t{600}}) {  // 600: the activation follows the sum of the parts
        const MatMul p{.m = 30, .n = 28, .k = k, .activation = activation};
        const Inputs in = inputs_of(p, dtype);
        const Vector before = by_definition(p, in);
        Vector after = reference::gelu(before);
        if (activation == Activation::Relu)
          std::ranges::transform(before, after.begin(), [](double x) { return std::max(x, 0.0); });
        Tensor c = Tensor::empty({p.m, p.n}, dtype, kGpu), pre = Tensor::empty({p.m, p.n}, dtype, kGpu);
        matmul(p, in.device_a, in.device_b, in.device_bias, c, &pre);
        EXPECT_LT(relative_error(to_double(c), after), tolerance_of(dtype));
        EXPECT_LT(relative_error(to_double(pre), before), tolerance_of(dtype));
      }
}

TEST(MatMul, IsTheBiasWhereKIsEmpty) {
  const Tensor bias = to_tensor({1, 2, 3}, {3}, kGpu);
  Tensor c = Tensor::empty({2, 3}, DType::F32, kGpu);
  matmul({.m = 2, .n = 3, .k = 0}, Tensor::empty({2, 0}, DType::F32, kGpu), Tensor::empty({0, 3}, DType::F32, kGpu),
         bias, c);
  EXPECT_EQ(to_double(c), (Vector{1, 2, 3, 1, 2, 3}));
}

TEST(MatMul, LetsANanThroughRelu) {
  const Tensor a = to_tensor({NAN, -1}, {2, 1}, kGpu), b = to_tensor({1}, {1, 1}, kGpu);
  Tensor c = Tensor::empty({2, 1}, DType::F32, kGpu);
  matmul({.m = 2, .n = 1, .k = 1, .activation = Activation::Relu}, a, b, {}, c);
  EXPECT_TRUE(std::isnan(to_double(c)[0]));
  EXPECT_EQ(to_double(c)[1], 0.0);
}

TEST(MatMul, RefusesInputsOfTwoTypes) {
  Tensor c = Tensor::empty({1, 1}, DType::F32, kGpu);
  EXPECT_THAT(error_of<ShapeError>([&] {
                matmul({.m = 1, .n = 1, .k = 1}, Tensor::zeros({1, 1}, DType::F32, kGpu),
                       Tensor::zeros({1, 1}, DType::BF16, kGpu), {}, c);
              }),
              testing::HasSubstr("f32 times bf16 into f32"));
}

}  // namespace
}  // namespace avs::cuda
