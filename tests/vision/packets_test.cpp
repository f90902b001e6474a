// Pictures that are not packets, clocks that jump, cut and damaged files.
#include <algorithm>
#include <array>

#include "tests/vision/field_coded.h"
#include "tests/vision/make_video.h"
#include "vision/frames.h"

namespace avs {
namespace {

using test::bytes_of;
using test::Folder;
using test::make_video;
using test::Rgb;
using test::VideoSpec;
using test::write_bytes;

Rgb step_of_ten(int64_t k, double, double) {
  const double level = 20 + 10.0 * static_cast<double>(k % 20);
  return {level, level, level};
}

// The picture (modulo 20) of each frame.
std::vector<int64_t> steps_in(const Frames& frames) {
  std::vector<int64_t> steps;
  const int64_t bytes = frames.pixels.size() / frames.pixels.shape()[0];
  for (int64_t k = 0; k < frames.pixels.shape()[0]; ++k)
    steps.push_back((frames.pixels.data<uint8_t>()[k * bytes + bytes / 2] - 15) / 10);
  return steps;
}

// The expected pictures for `pictures` of them at `rate` per second.
std::vector<int64_t> expected_steps(int64_t pictures, double rate) {
  std::vector<int64_t> steps;
  for (double at = 0.25; at < std::min(10.0, static_cast<double>(pictures) / rate); at += 0.5)
    steps.push_back(static_cast<int64_t>(at * rate + 1e-6) % 20);
  return steps;
}

Frames sample(const std::filesystem::path& path) { return *sample_frames(path, {.image_size = 8}); }

VideoSpec greys(const std::string& container, int64_t pictures, double rate = 10) {
  VideoSpec spec{.container = container, .codec = "mpeg4", .format = AV_PIX_FMT_YUV420P};
  spec.times_ms = test::regular_ms(pictures, rate);
  spec.paint = step_of_ten;
  return spec;
}

// ---- packets and pictures ------------------------------------------------------

TEST(Fields, AreTwoPacketsOfOnePicture) {
  const Folder folder;
  for (const std::string muxer : {"mpegts", "mp4", "matroska"}) {
    test::write_fields(folder / "x", muxer, 100);
    std::vector<int64_t> levels = steps_in(sample(folder / "x"));
    // Level 20 + 10 k in limited range becomes (4 + 10 k) 255 / 219.
    std::vector<int64_t> expected;
    for (const int64_t k : expected_steps(100, 10)) expected.push_back(((4 + 10 * k) * 255 / 219 - 15) / 10);
    EXPECT_EQ(levels, expected) << muxer;
  }
}

// Without timestamps there are 25 pictures per second, not 25 fields.
TEST(Fields, OfARawStreamLastAsLongAsTheirPictures) {
  const Folder folder;
  test::write_fields(folder / "x.h264", "h264", 100);
  EXPECT_EQ(sample(folder / "x.h264").pixels.shape()[0], 8);
}

class PaletteWriter {
 public:
  // Palette indices: colour 7 is (200, 100, 50), all others are black.
  static void write(const std::filesystem::path& path, const std::string& container) {
    VideoSpec spec{.container = container, .codec = "rawvideo", .width = 32, .height = 32, .format = AV_PIX_FMT_PAL8};
    spec.times_ms = test::regular_ms(20, 10);
    test::VideoFile file(path, spec);
    for (const int64_t at : spec.times_ms) {
      const FramePtr frame = make_frame();
      frame->format = AV_PIX_FMT_PAL8;
      frame->width = frame->height = 32;
      frame->pts = at;
      test::require(av_frame_get_buffer(frame.get(), 0), "frame");
      std::fill_n(frame->data[0], 32 * frame->linesize[0], uint8_t{7});
      std::fill_n(reinterpret_cast<uint32_t*>(frame->data[1]), 256, 0xff000000u);
      reinterpret_cast<uint32_t*>(frame->data[1])[7] = 0xffc86432u;
      file.encode(frame.get(), spec);
    }
    file.encode(nullptr, spec);
    file.end();
  }
};

TEST(Palette, OfAPacketThatNobodyLooksAtIsKept) {
  const Folder folder;
  PaletteWriter::write(folder / "x.avi", "avi");
  const Frames frames = sample(folder / "x.avi");
  ASSERT_EQ(frames.pixels.shape()[0], 4);
  for (int64_t k = 0; k < 4; ++k) {
    const uint8_t* const pixel = frames.pixels.data<uint8_t>() + k * 8 * 8 * 3;
    for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(pixel[c], (std::array{200, 100, 50}[c]), 1) << "frame " << k;
  }
}

TEST(Frames, OfAnAnimatedPngAreAllOfThem) {
  const Folder folder;
  VideoSpec spec{.container = "apng", .codec = "apng", .format = AV_PIX_FMT_RGB24};
  spec.times_ms = test::regular_ms(20, 10);
  spec.paint = step_of_ten;
  make_video(folder / "x.png", spec);
  EXPECT_EQ(steps_in(sample(folder / "x.png")), expected_steps(20, 10));
}

// ---- time -------------------------------------------------------------------

TEST(Time, ThatJumpsBackGoesOn) {
  const Folder folder;
  make_video(folder / "a", greys("mpegts", 60));
  make_video(folder / "b", greys("mpegts", 40));
  write_bytes(folder / "ab", bytes_of(folder / "a") + bytes_of(folder / "b"));
  EXPECT_EQ(steps_in(sample(folder / "ab")), expected_steps(100, 10));
}

TEST(Time, OfAClockThatWrapsAroundBeginsBeforeZero) {
  const Folder folder;
  VideoSpec spec = greys("mpegts", 60);
  for (int64_t& at : spec.times_ms) at += 95443717 - 2300;  // 2^33 / 90 kHz is 95443.7 s
  spec.muxer_options = {{"mpegts_copyts", "1"}};
  make_video(folder / "x", spec);
  EXPECT_EQ(steps_in(sample(folder / "x")), expected_steps(60, 10));
}

TEST(Time, OfAFragmentBeginsWithIt) {
  const Folder folder;
  VideoSpec spec = greys("mp4", 40);
  for (int64_t& at : spec.times_ms) at += 8000;
  spec.muxer_options = {{"movflags", "frag_keyframe+empty_moov+default_base_moof+frag_discont"}};
  make_video(folder / "x", spec);
  const Frames frames = sample(folder / "x");
  EXPECT_EQ(steps_in(frames), expected_steps(40, 10));
  EXPECT_EQ(frames.note, "");
}

// ---- the end ----------------------------------------------------------------

std::string why_refused(const std::filesystem::path& path) {
  try {
    sample(path);
  } catch (const Truncated& error) {
    return error.what();
  }
  return "kept";
}

TEST(CutVideo, IsRefusedInEveryContainer) {
  const Folder folder;
  const std::vector<std::pair<std::string, std::map<std::string, std::string>>> containers = {
      {"mp4", {{"movflags", "faststart"}}},
      {"mp4", {{"movflags", "frag_every_frame+empty_moov+default_base_moof"}}},
      {"matroska", {}},
      {"avi", {}},
      {"flv", {}},
      {"asf", {}}};
  for (const auto& [container, options] : containers) {
    VideoSpec spec = greys(container, 60);
    spec.muxer_options = options;
    if (container == "flv") spec.codec = "flv";
    const auto path = folder / ("x." + container);
    make_video(path, spec);
    const Frames whole = sample(path);
    EXPECT_EQ(steps_in(whole), expected_steps(60, 10)) << container;
    EXPECT_EQ(whole.note, "") << container;
    std::filesystem::resize_file(path, std::filesystem::file_size(path) * 6 / 10);
    EXPECT_NE(why_refused(path).find(path.string() + ": truncated: its pictures end at second "), std::string::npos)
        << container << ": " << why_refused(path);
  }
}

TEST(WholeVideo, WithAWrongHeaderIsKeptWithANote) {
  const Folder folder;
  VideoSpec spec = greys("flv", 60);
  spec.codec = "flv";
  make_video(folder / "x", spec);
  const std::string bytes = bytes_of(folder / "x");
  for (const auto& [number, seconds] : {std::pair{std::string("\x40\x2c\0\0\0\0\0\0", 8), "14.0"},
                                        {std::string("\x40\x5f\x40\0\0\0\0\0", 8), "125.0"}}) {
    std::string wrong = bytes;
    wrong.replace(wrong.find("duration") + 9, 8, number);
    write_bytes(folder / "x", wrong);
    const Frames frames = sample(folder / "x");
    EXPECT_EQ(steps_in(frames), expected_steps(60, 10));
    EXPECT_EQ(frames.note, str("the header promises ", seconds, " s, the file holds 6.0 s"));
  }
}

// Chapters are a track of their own, whose length may be arbitrary.
TEST(WholeVideo, IsAsLongAsItsPicturesNotItsChapters) {
  const Folder folder;
  VideoSpec spec = greys("mp4", 60);
  spec.chapter_ends_ms = {5000, 14000};
  make_video(folder / "x", spec);
  const Frames frames = sample(folder / "x");
  EXPECT_EQ(steps_in(frames), expected_steps(60, 10));
  EXPECT_EQ(frames.note, "");
}

TEST(DamagedVideo, SaysFromWhereOn) {
  const Folder folder;
  VideoSpec spec{.container = "mov", .codec = "png", .format = AV_PIX_FMT_RGB24};
  spec.times_ms = test::regular_ms(100, 10);
  spec.muxer_options = {{"movflags", "faststart"}};
  spec.paint = step_of_ten;
  make_video(folder / "x", spec);
  const std::string whole = bytes_of(folder / "x");
  std::string tail = whole, middle = whole;
  const size_t begin = whole.find("mdat"), length = whole.size() - begin;
  std::fill(tail.begin() + static_cast<std::ptrdiff_t>(begin + length / 3), tail.end(), '\x55');
  std::fill_n(middle.begin() + static_cast<std::ptrdiff_t>(begin + length / 3), length / 6, '\x55');
  write_bytes(folder / "x", tail);
  EXPECT_EQ(sample(folder / "x").note.substr(0, 38), "its pictures are damaged from second 3")
      << sample(folder / "x").note;
  write_bytes(folder / "x", middle);
  EXPECT_EQ(sample(folder / "x").note.substr(0, 42), "its pictures are damaged between seconds 3")
      << sample(folder / "x").note;
}

}  // namespace
}  // namespace avs
