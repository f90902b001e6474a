#include "apps/cli/progress.h"

#include <gtest/gtest.h>

namespace avs {
namespace {

TEST(Progress, WritesTimesAsAClockDoes) {
  EXPECT_EQ(as_clock(0), "0:00");
  EXPECT_EQ(as_clock(7.4), "0:07");
  EXPECT_EQ(as_clock(750), "12:30");
  EXPECT_EQ(as_clock(11100), "3:05:00");
  EXPECT_EQ(as_clock(-3), "0:00");
}

TEST(Progress, IsSilentAboutAShortLoopWhenNobodyWatches) {
  testing::internal::CaptureStderr();  // a file, not a terminal
  {
    Progress progress(1000, "counting");
    for (int i = 0; i < 1000; ++i) progress.advance();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, PrintsLinesAtOnce) {
  testing::internal::CaptureStderr();
  {
    Progress progress(0, "nothing");
    progress.print("a line");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "a line\n");
}

}  // namespace
}  // namespace avs
