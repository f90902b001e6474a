#include "tensor/ops/concat.h"

#include "tests/op_case.h"
#include "tests/reference/concat.h"

namespace avs {
namespace {

OpCase concat_case(std::vector<Shape> shapes) {
  std::vector<size_t> channels;
  for (const Shape& shape : shapes) channels.push_back(static_cast<size_t>(shape[-1]));
  return {str("concat of ", shapes.size()), shapes, [](const auto& v) { return concat(v); },
          [channels](const auto& x) { return reference::concat(x, channels); }};
}

TEST(Concat, MatchesTheOracle) {
  for (const Device device : devices()) {
    check_op(concat_case({{2, 3, 3, 4}, {2, 3, 3, 1}, {2, 3, 3, 5}}), device);
    check_op(concat_case({{7}}), device);
    check_op(concat_case({{3, 2}, {3, 2}}), device);
  }
}

TEST(Stack, PutsOnePartBelowTheOther) {
  const OpCase below{"stack",
                     {{4, 3, 2}, {1, 3, 2}, {2, 3, 2}},
                     [](const auto& v) { return stack(v); },
                     [](const auto& x) {
                       return reference::concat(x, {24, 6, 12});
                     }};
  for (const Device device : devices()) check_op(below, device);
  const Variable a(Tensor::zeros({2, 3})), b(Tensor::zeros({2, 2}));
  EXPECT_THAT(error_of<ShapeError>([&] { stack({a, b}); }), testing::HasSubstr("stack: rows of [2, 3] and [2, 2]"));
}

TEST(Concat, CoversEveryRowOfALargeTensor) {
  const int64_t rows = 20011;
  const Vector a = reference::random_vector(rows * 16, 3), b = reference::random_vector(rows * 24, 4);
  for (const Device device : devices())
    EXPECT_EQ(to_double(ops::concat({to_tensor(a, {rows, 16}, device), to_tensor(b, {rows, 24}, device)})),
              reference::concat({a, b}, {16, 24}));
}

// The CPU has special copies for rows of 4 to 64 bytes but not for rows of 12; one such row in a concat disables them.
TEST(Concat, CopiesNarrowPartsWholeAndSlicesThemBack) {
  const int64_t rows = 5003;
  for (const std::vector<int64_t>& channels :
       {std::vector<int64_t>{2, 2, 2, 2}, {1, 16, 4, 8}, {16, 16, 16, 16}, {4, 3, 4}})
    for (const Device device : devices()) {
      std::vector<Vector> values;
      std::vector<Tensor> parts;
      for (const int64_t c : channels) {
        values.push_back(reference::random_vector(rows * c, static_cast<uint64_t>(10 + parts.size())));
        parts.push_back(to_tensor(values.back(), {rows, c}, device));
      }
      const Tensor y = ops::concat(parts);
      EXPECT_EQ(to_double(y), reference::concat(values, {channels.begin(), channels.end()})) << device;
      int64_t first = 0;
      for (size_t i = 0; i < parts.size(); first += channels[i++])
        EXPECT_EQ(to_double(ops::slice_channels(y, first, channels[i])), values[i]) << device << ", part " << i;
    }
}

TEST(Concat, SliceChannelsTakesBackWhatConcatPutTogether) {
  const Vector a = reference::random_vector(10 * 3, 3), b = reference::random_vector(10 * 5, 4);
  for (const Device device : devices()) {
    const Tensor y = ops::concat({to_tensor(a, {10, 3}, device), to_tensor(b, {10, 5}, device)});
    EXPECT_EQ(to_double(ops::slice_channels(y, 0, 3)), a) << device;
    EXPECT_EQ(to_double(ops::slice_channels(y, 3, 5)), b) << device;
  }
}

TEST(Concat, WriteChannelsWritesOnePartAndLeavesTheOthers) {
  for (const int64_t c : {1, 4, 30, 64})
    for (const Device device : devices()) {
      const Vector x = reference::random_vector(701 * c, 5);
      Tensor y = Tensor::full({701, c + 7}, 9.0f, device);
      ops::write_channels(to_tensor(x, {701, c}, device), 3, y);
      EXPECT_EQ(to_double(y),
                reference::concat({Vector(701 * 3, 9.0), x, Vector(701 * 4, 9.0)}, {3, static_cast<size_t>(c), 4}))
          << c << " channels on " << device;
    }
}

TEST(Concat, SlicesEveryRowOfALargeTensor) {
  const int64_t rows = 3001;
  const Vector x = reference::random_vector(rows * 600, 3);
  for (const Device device : devices())
    for (const auto& [first, count] : {std::pair<int64_t, int64_t>{64, 528}, {7, 31}}) {
      Vector expected;
      for (int64_t r = 0; r < rows; ++r)
        expected.insert(expected.end(), x.begin() + r * 600 + first, x.begin() + r * 600 + first + count);
      EXPECT_EQ(to_double(ops::slice_channels(to_tensor(x, {rows, 600}, device), first, count)), expected) << device;
    }
}

TEST(Concat, MovesPixelsAndHalvesToo) {
  const std::vector<uint8_t> a = {1, 2, 3, 4}, b = {5, 6};
  for (const Device device : devices()) {
    const Tensor pixels =
        ops::concat({Tensor::from({2, 2}, std::span(a), device), Tensor::from({2, 1}, std::span(b), device)});
    EXPECT_EQ(pixels.dtype(), DType::U8);
    EXPECT_EQ(to_double(pixels), (Vector{1, 2, 5, 3, 4, 6})) << device;
    for (const int64_t c : {1, 2, 4, 8}) {  // words of 2, 4, 8 and 16 bytes
      const Tensor halves = to_short(reference::random_vector(5 * c, 6), {5, c}, device, DType::F16);
      const Tensor twice = ops::concat({halves, halves});
      EXPECT_EQ(twice.dtype(), DType::F16);
      EXPECT_EQ(to_double(ops::slice_channels(twice, c, c)), to_double(halves)) << c << " halves on " << device;
    }
  }
}

TEST(Concat, TakesMorePartsThanOneLaunchHolds) {
  for (const Device device : devices()) {
    std::vector<Vector> values;
    std::vector<Tensor> parts;
    std::vector<size_t> channels;
    for (int64_t i = 0; i < 19; ++i) {
      const int64_t c = i % 3 + 1;
      values.push_back(reference::random_vector(6 * c, static_cast<uint64_t>(i)));
      parts.push_back(to_tensor(values.back(), {6, c}, device));
      channels.push_back(static_cast<size_t>(c));
    }
    EXPECT_EQ(to_double(ops::concat(parts)), reference::concat(values, channels)) << device;
  }
}

TEST(Concat, RefusesPartsThatDoNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::concat({Tensor::zeros({2, 3, 4}), Tensor::zeros({2, 4, 4})});
              }),
              testing::HasSubstr("part 1 is [2, 4, 4], part 0 is [2, 3, 4]; all axes but the last must agree"));
  EXPECT_THAT(error_of<ShapeError>([] { ops::concat({}); }), testing::HasSubstr("no tensors given"));
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::slice_channels(Tensor::zeros({2, 3}), 2, 2);
              }),
              testing::HasSubstr("channels 2 to 4 of [2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([] {
                Tensor y = Tensor::zeros({2, 3});
                ops::write_channels(Tensor::zeros({2, 2}), 2, y);
              }),
              testing::HasSubstr("write_channels: [2, 2] to channels 2 to 4 of [2, 3]"));
}

}  // namespace
}  // namespace avs
