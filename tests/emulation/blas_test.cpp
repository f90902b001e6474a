// Products through the emulated cuBLASLt: row-major products become correct column-major calls, the calls stay within
// the library's limits, and its failures become errors.
#include "cuda/blas.h"

#include "cuda/api.h"
#include "tensor/ops/cast.h"
#include "tensor/ops/linear.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/include/cublasLt.h"
#include "tests/emulation/runtime.h"
#include "tests/op_case.h"

namespace avs::cuda {
namespace {

class Blas : public testing::Test {
 protected:
  void SetUp() override { use_products(Products::Library); }
  void TearDown() override {
    emulation::set_fault({});
    use_products(before_);
    set_tf32(Tf32::Off);
    set_gelu_form(GeluForm::Exact);
  }
  const Products before_ = products();
};

Tensor random_on_device(const Shape& shape, uint64_t seed, DType dtype = DType::F32) {
  return ops::cast(to_tensor(reference::random_vector(shape.size(), seed), shape, kGpu), dtype);
}

struct Result {
  Vector c, pre;
};
// Computes the product with either library.
Result run(Products which, const MatMul& p, DType in, DType out, bool keeps_pre) {
  use_products(which);
  const Tensor a = random_on_device(p.a == Order::Plain ? Shape{p.m, p.k} : Shape{p.k, p.m}, 1, in);
  const Tensor b = random_on_device(p.b == Order::Plain ? Shape{p.k, p.n} : Shape{p.n, p.k}, 2, in);
  // Exact in every type, since the library needs a bias of the output's type.
  const Tensor bias = ops::cast(random_on_device({p.n}, 3, DType::BF16), DType::F32);
  Tensor c = Tensor::empty({p.m, p.n}, out, kGpu), pre = Tensor::empty({p.m, p.n}, out, kGpu);
  product(p, a, b, p.activation == Activation::None ? Tensor() : bias, c, keeps_pre ? &pre : nullptr);
  return {to_double(c), keeps_pre ? to_double(pre) : Vector{}};
}

TEST_F(Blas, TheLibraryAndOurOwnProductAgree) {
  for (const auto& [in, out] :
       {std::pair{DType::F32, DType::F32}, {DType::BF16, DType::BF16}, {DType::F16, DType::F32}})
    for (const Order order_a : {Order::Plain, Order::Transposed})
      for (const Order order_b : {Order::Plain, Order::Transposed})
        for (const Activation activation : {Activation::None, Activation::Relu, Activation::Gelu})
          for (const bool keeps_pre : {false, true}) {
            if (keeps_pre && activation == Activation::None) continue;  // without an activation there is no pre
            const MatMul p{.m = 13, .n = 10, .k = 19, .a = order_a, .b = order_b, .activation = activation};
            const Result own = run(Products::Own, p, in, out, keeps_pre),
                         library = run(Products::Library, p, in, out, keeps_pre);
            const double tolerance = out == DType::F32 ? 1e-6 : 1e-2;  // bf16: GELU reads rounded values
            EXPECT_LT(relative_error(library.c, own.c), tolerance)
                << in << ", activation " << static_cast<int>(activation);
            EXPECT_LT(relative_error(library.pre, own.pre), tolerance);
          }
}

// The heuristic may choose algorithms that need aligned addresses, so the request holds the alignment of each matrix.
TEST_F(Blas, ViewsThatBeginAnywhereGetAnAlgorithmOfTheirOwn) {
  const auto at = [](int64_t first, uint64_t seed) { return random_on_device({8 * 8 + 2}, seed).view(first, {8, 8}); };
  const MatMul p{.m = 8, .n = 8, .k = 8, .activation = Activation::Relu};
  for (int which = 0; which < 4; ++which)
    for (const int64_t first : {int64_t{0}, int64_t{2}, int64_t{1}}) {
      const auto first_of = [&](int matrix) { return matrix == which ? first : 0; };
      const Tensor a = at(first_of(0), 1), b = at(first_of(1), 2), bias = at(first_of(3), 3).view(0, {8});
      Tensor c = at(first_of(2), 4), expected = Tensor::empty({8, 8}, DType::F32, kGpu);
      product(p, a, b, bias, c);
      matmul(p, a, b, bias, expected);
      EXPECT_LT(relative_error(to_double(c), to_double(expected)), 1e-6) << "matrix " << which << " from " << first;
    }
}

// The tanh approximation is within 5e-4 of GELU, its derivative within 1e-3; the epilogue replaces our own kernels.
TEST_F(Blas, TanhGeluIsTheLibrarysEpilogueForwardAndBack) {
  const int64_t m = 12, n = 16, k = 10;
  for (const DType dtype : {DType::F32, DType::BF16})
    for (const bool keeps_pre : {false, true}) {
      const MatMul p{.m = m, .n = n, .k = k, .activation = Activation::Gelu};
      set_gelu_form(GeluForm::Exact);
      const Result exact = run(Products::Own, p, dtype, dtype, keeps_pre);
      set_gelu_form(GeluForm::Tanh);
      const Result tanh = run(Products::Library, p, dtype, dtype, keeps_pre);
      double apart = 0;
      for (size_t i = 0; i < exact.c.size(); ++i) apart = std::max(apart, std::abs(exact.c[i] - tanh.c[i]));
      EXPECT_LT(apart, dtype == DType::F32 ? 5e-4 : 3e-2);
      if (dtype == DType::F32) {
        EXPECT_GT(apart, 1e-5) << "another function was asked for";
      }
      if (keeps_pre) {
        EXPECT_LT(relative_error(tanh.pre, exact.pre), dtype == DType::F32 ? 1e-6 : 1e-2);
      }
    }
  const Tensor dy = random_on_device({m, k}, 4), w = random_on_device({k, n}, 5), pre = random_on_device({m, n}, 6);
  Tensor exact = Tensor::empty({m, n}, DType::F32, kGpu), tanh = Tensor::empty({m, n}, DType::F32, kGpu);
  set_gelu_form(GeluForm::Exact);
  EXPECT_FALSE(product_through_gelu({.m = m, .n = n, .k = k}, dy, w, pre, exact));
  linear_backward_gelu(pre, w, dy, exact);
  set_gelu_form(GeluForm::Tanh);
  EXPECT_TRUE(product_through_gelu({.m = m, .n = n, .k = k}, dy, w, pre, tanh));
  EXPECT_LT(relative_error(to_double(tanh), to_double(exact)), 2e-3);
  EXPECT_GT(relative_error(to_double(tanh), to_double(exact)), 1e-6);
}

TEST_F(Blas, TanhGeluLeavesToOurPassWhatTheLibraryCannotKeep) {
  set_gelu_form(GeluForm::Tanh);
  const MatMul p{.m = 6, .n = 10, .k = 7, .activation = Activation::Gelu};  // rows of 10 are no multiple of 8
  const Result own = run(Products::Own, p, DType::F32, DType::F32, true),
               library = run(Products::Library, p, DType::F32, DType::F32, true);
  EXPECT_LT(relative_error(library.c, own.c), 1e-6) << "the exact function";
  const Tensor dy = random_on_device({6, 7}, 4), w = random_on_device({7, 10}, 5), pre = random_on_device({6, 10}, 6);
  Tensor c = Tensor::empty({6, 10}, DType::F32, kGpu);
  EXPECT_FALSE(product_through_gelu({.m = 6, .n = 10, .k = 7}, dy, w, pre, c));
  linear_backward_gelu(pre, w, dy, c);
}

TEST_F(Blas, AnAlgorithmIsChosenOncePerShape) {
  const MatMul p{.m = 9, .n = 11, .k = 300};
  run(Products::Library, p, DType::F32, DType::F32, false);
  emulation::set_fault({"cublasLtMatmulAlgoGetHeuristic", 0, CUBLAS_STATUS_INTERNAL_ERROR, true});
  run(Products::Library, p, DType::F32, DType::F32, false);
}

TEST_F(Blas, WithoutAnAlgorithmOurOwnProductStepsIn) {
  emulation::set_fault({"cublasLtMatmulAlgoGetHeuristic", 0, CUBLAS_STATUS_NOT_SUPPORTED});
  const MatMul p{.m = 12, .n = 14, .k = 6, .activation = Activation::Gelu};
  const Result fallen_back = run(Products::Library, p, DType::F32, DType::F32, true);
  const Result own = run(Products::Own, p, DType::F32, DType::F32, true);
  EXPECT_EQ(fallen_back.c, own.c);
  EXPECT_EQ(fallen_back.pre, own.pre);
}

TEST_F(Blas, AFailureOfAnyCallIsAnErrorThatNamesIt) {
  int64_t k = 20;  // a new shape each time, so that all calls run again
  for (const char* function :
       {"cublasLtMatmulDescCreate", "cublasLtMatmulDescSetAttribute", "cublasLtMatrixLayoutCreate",
        "cublasLtMatmulPreferenceCreate", "cublasLtMatmulPreferenceSetAttribute", "cublasLtMatmulAlgoGetHeuristic",
        "cublasLtMatmul"}) {
    const MatMul p{.m = 3, .n = 5, .k = ++k, .activation = Activation::Relu};
    emulation::set_fault({function, 0, CUBLAS_STATUS_EXECUTION_FAILED});
    EXPECT_THAT(error_of<DeviceError>([&] { run(Products::Library, p, DType::F32, DType::F32, false); }),
                testing::MatchesRegex("cuBLASLt: .+CUBLAS_STATUS_EXECUTION_FAILED.*"))
        << function;
    run(Products::Library, p, DType::F32, DType::F32, false);  // the next attempt works
    emulation::set_fault({function, 0, CUBLAS_STATUS_ALLOC_FAILED});
    EXPECT_THAT(error_of<OutOfMemory>([&] {
                  run(Products::Library, {.m = 3, .n = 5, .k = ++k, .activation = Activation::Relu}, DType::F32,
                      DType::F32, false);
                }),
                testing::HasSubstr("a smaller --batch needs less"))
        << function;
  }
}

TEST_F(Blas, RoundsToTf32OnlyWhereThatIsAllowed) {
  const Tensor a = to_tensor({1 + 0x1p-12}, {1, 1}, kGpu), b = to_tensor({1}, {1, 1}, kGpu);
  Tensor c = Tensor::empty({1, 1}, DType::F32, kGpu);
  product({.m = 1, .n = 1, .k = 1}, a, b, {}, c);
  EXPECT_EQ(to_double(c)[0], 1 + 0x1p-12);
  set_tf32(Tf32::Allowed);
  product({.m = 1, .n = 1, .k = 1}, a, b, {}, c);
  EXPECT_EQ(to_double(c)[0], 1.0);
}

}  // namespace
}  // namespace avs::cuda
