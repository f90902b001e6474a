#include "tensor/tensor.h"

#include "tests/op_case.h"

namespace avs {
namespace {

Tensor counting(Shape shape) {
  std::vector<float> values(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return Tensor::from(shape, std::span<const float>(values));
}

TEST(Tensor, IsAHandleAndCloneIsACopy) {
  Tensor a = counting({2, 3});
  Tensor b = a;
  const Tensor c = a.clone();
  b.data<float>()[0] = 9.0f;
  EXPECT_EQ(to_double(a), (Vector{9, 1, 2, 3, 4, 5}));
  EXPECT_EQ(to_double(c), (Vector{0, 1, 2, 3, 4, 5}));
  EXPECT_FALSE(a.is_unique());
  EXPECT_TRUE(c.is_unique());
}

TEST(Tensor, ViewsShareTheirStorage) {
  const Tensor a = counting({4, 3});
  EXPECT_EQ(to_double(a.rows(1, 2)), (Vector{3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(a.rows(1, 2).shape(), (Shape{2, 3}));
  EXPECT_EQ(to_double(a.view(5, {2, 2})), (Vector{5, 6, 7, 8}));
  EXPECT_EQ(to_double(a.view(5, {2, 2}).rows(1, 1)), (Vector{7, 8}));
  EXPECT_EQ(a.reshape({2, 6}).raw(), a.raw());
  Tensor last = a.rows(3, 1);
  last.fill(0.5f);
  EXPECT_EQ(to_double(a)[9], 0.5);
  EXPECT_EQ(to_double(a)[8], 8.0);
}

TEST(Tensor, AViewOutlivesTheTensorItWasTakenFrom) {
  Tensor a = counting({4, 3});
  const Tensor row = a.rows(2, 1);
  a = Tensor();
  EXPECT_EQ(to_double(row), (Vector{6, 7, 8}));
}

TEST(Tensor, HoldsPixelsLabelsAndSixteenBitFloats) {
  const std::vector<uint8_t> pixels = {0, 128, 255};
  const std::vector<int32_t> labels = {-1, 7};
  EXPECT_EQ(to_double(Tensor::from({3}, std::span(pixels))), (Vector{0, 128, 255}));
  EXPECT_EQ(to_double(Tensor::from({2}, std::span(labels))), (Vector{-1, 7}));
  for (const DType dtype : {DType::F16, DType::BF16}) {
    Tensor t = Tensor::zeros({3}, dtype);
    EXPECT_EQ(t.bytes(), 6u);
    t.fill(1.5f);
    EXPECT_EQ(to_double(t), (Vector{1.5, 1.5, 1.5}));
  }
}

TEST(Tensor, MayBeEmptyOrAScalar) {
  EXPECT_TRUE(Tensor::empty({0, 3}).to_vector().empty());
  EXPECT_EQ(Tensor::full({}, 2.5f).item(), 2.5f);
  EXPECT_FALSE(Tensor().defined());
}

TEST(Tensor, CopyFromCopiesElementsIntoAView) {
  const Tensor a = counting({4, 2});
  Tensor middle = a.rows(1, 2);
  middle.copy_from(Tensor::full({2, 2}, -1.0f));
  EXPECT_EQ(to_double(a), (Vector{0, 1, -1, -1, -1, -1, 6, 7}));
}

TEST(Tensor, SaysWhatIsWrong) {
  const Tensor a = counting({2, 3});
  EXPECT_THAT(error_of<ShapeError>([&] { a.data<int32_t>(); }), testing::HasSubstr("holds f32, i32 was asked for"));
  EXPECT_THAT(error_of<ShapeError>([&] { a.reshape({4}); }), testing::HasSubstr("[2, 3] has 6 elements, [4] has 4"));
  EXPECT_THAT(error_of<ShapeError>([&] { a.rows(1, 2); }), testing::HasSubstr("rows 1 to 3 of [2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([&] { a.view(4, {3}); }), testing::HasSubstr("elements 4 to 7 of [2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([&] { (void)a.item(); }), testing::HasSubstr("one element expected, got [2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([] { Tensor().data<float>(); }), testing::HasSubstr("undefined tensor"));
  EXPECT_THAT(error_of<ShapeError>([] { Tensor().device(); }), testing::HasSubstr("no device"));
  const std::vector<float> two = {1, 2};
  EXPECT_THAT(error_of<ShapeError>([&] { Tensor::from({3}, std::span(two)); }),
              testing::HasSubstr("a tensor of shape [3] has 3 elements, got 2"));
  EXPECT_THAT(error_of<ShapeError>([&] { counting({2}).copy_from(Tensor::zeros({3})); }),
              testing::HasSubstr("copy_from: [2] f32 from [3] f32"));
}

TEST(Tensor, ErrorsGatherContextAndNameTheirPlace) {
  try {
    try {
      counting({2}).reshape({3});
    } catch (Error& error) {
      error.add_context("in layer 'stem'");
      throw;
    }
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("tensor/tensor.cpp:"));
    EXPECT_THAT(error.what(), testing::EndsWith("\n    in layer 'stem'"));
  }
}

TEST(Tensor, OfADeviceThatIsMissingIsRefusedInOneLine) {
  if (devices().size() > 1) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_THAT(error_of<DeviceError>([] {
                Tensor::zeros({1}, DType::F32, {Device::Kind::Cuda, 0});
              }),
              testing::HasSubstr(AVS_WITH_CUDA ? "no NVIDIA " : "this build has no CUDA backend"));
}

}  // namespace
}  // namespace avs
