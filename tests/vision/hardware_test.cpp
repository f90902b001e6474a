// Hardware decoders. Without one, "any" must decode correctly on the CPU.
#include <gmock/gmock.h>

#include "tests/vision/make_video.h"
#include "vision/frames.h"
#include "vision/video_hardware.h"

namespace avs {
namespace {

using test::Folder;
using test::Rgb;

Rgb gradient(int64_t k, double u, double v) { return {40 + 150 * u, 40 + 150 * v, 20.0 * static_cast<double>(k % 10)}; }

TEST(VideoHardware, GivesThePicturesThatTheCpuGives) {
  const Folder folder;
  const auto path = folder / "clip.mp4";
  test::make_video(path, {.container = "mp4",
                          .codec = "mpeg4",
                          .width = 320,
                          .height = 240,
                          .format = AV_PIX_FMT_YUV420P,
                          .times_ms = test::regular_ms(40, 10),
                          .paint = gradient});
  FrameOptions options{.frames_per_second = 2, .image_size = 64};
  const Frames expected = sample_frames(path, options).value();
  options.hardware = VideoHardware::open_any();
  const Frames got = sample_frames(path, options).value();
  ASSERT_EQ(got.pixels.shape(), expected.pixels.shape());
  EXPECT_EQ(got.seconds, expected.seconds);
  double sum = 0;
  for (int64_t i = 0; i < got.pixels.size(); ++i)
    sum += std::abs(double(got.pixels.data<uint8_t>()[i]) - double(expected.pixels.data<uint8_t>()[i]));
  EXPECT_LE(sum / static_cast<double>(got.pixels.size()), 1.0)
      << "decoded by " << (options.hardware == nullptr ? "the CPU" : options.hardware->kind());
}

TEST(VideoHardware, OfAnUnknownKindIsRefusedWithTheKindsThereAre) {
  std::string message;
  try {
    VideoHardware::open("abacus");
  } catch (const UsageError& error) {
    message = error.what();
  }
  EXPECT_THAT(message, testing::HasSubstr("no video decoder of the kind 'abacus'; this FFmpeg knows "));
  for (const std::string& kind : VideoHardware::kinds()) EXPECT_THAT(message, testing::HasSubstr(kind));
}

TEST(VideoHardware, ThatThisMachineLacksIsRefusedInOneLine) {
  for (const std::string& kind : VideoHardware::kinds()) {
    try {
      EXPECT_EQ(VideoHardware::open(kind)->kind(), kind);
    } catch (const DeviceError& error) {
      const std::string message = error.what();
      EXPECT_THAT(message, testing::HasSubstr("the video decoder '" + kind + "' cannot be opened: "));
      EXPECT_EQ(message.find('\n'), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace avs
