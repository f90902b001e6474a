#include "tensor/shape.h"

#include "tests/op_case.h"

namespace avs {
namespace {

TEST(Shape, KnowsItsExtents) {
  const Shape shape{8, 32, 16, 64};
  EXPECT_EQ(shape.rank(), 4);
  EXPECT_EQ(shape.size(), 8 * 32 * 16 * 64);
  EXPECT_EQ(shape[0], 8);
  EXPECT_EQ(shape[-1], 64);
  EXPECT_EQ(shape.with(-1, 3), (Shape{8, 32, 16, 3}));
  EXPECT_EQ(shape.extents(), (std::vector<int64_t>{8, 32, 16, 64}));
  EXPECT_NE(shape, (Shape{8, 32, 16}));
}

TEST(Shape, OfAScalarHasOneElementAndAnEmptyOneNone) {
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ(Shape{}.rank(), 0);
  EXPECT_EQ((Shape{3, 0, 5}).size(), 0);
}

TEST(Shape, CountsElementsBeyondThirtyTwoBits) { EXPECT_EQ((Shape{1 << 20, 1 << 20}).size(), int64_t{1} << 40); }

TEST(Shape, PrintsAsPeopleWriteIt) {
  EXPECT_EQ(str(Shape{8, 32, 64}), "[8, 32, 64]");
  EXPECT_EQ(str(Shape{}), "[]");
}

TEST(Shape, SaysWhatIsWrong) {
  EXPECT_THAT(error_of<ShapeError>([] { Shape{1, -2}; }), testing::HasSubstr("axis 1 has the negative extent -2"));
  EXPECT_THAT(error_of<ShapeError>([] { Shape{1, 1, 1, 1, 1, 1}; }), testing::HasSubstr("at most 5 axes, got 6"));
  EXPECT_THAT(error_of<ShapeError>([] { Shape({2, 3})[2]; }), testing::HasSubstr("axis 2 of [2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([] { as_nhwc({2, 3}); }), testing::HasSubstr("must be [n, h, w, c], got [2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([] { as_krsc({2, 3}); }), testing::HasSubstr("must be [k, r, s, c], got [2, 3]"));
}

}  // namespace
}  // namespace avs
