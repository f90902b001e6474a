#include "vision/frames.h"

#include <cstdlib>
#include <fstream>

#include "tests/vision/make_video.h"
#include "vision/image.h"
#include "vision/scale.h"

namespace avs {
namespace {

using test::Folder;
using test::make_video;
using test::Rgb;
using test::VideoSpec;

// The pictures in the frames, if picture k is painted grey of level 10 k.
std::vector<int64_t> pictures_in(const Frames& frames) {
  std::vector<int64_t> pictures;
  const int64_t frame_bytes = frames.pixels.size() / frames.pixels.shape()[0];
  for (int64_t k = 0; k < frames.pixels.shape()[0]; ++k)
    pictures.push_back((frames.pixels.data<uint8_t>()[k * frame_bytes + frame_bytes / 2] + 5) / 10);
  return pictures;
}

Rgb grey_of_picture(int64_t k, double, double) {
  const double level = 10.0 * static_cast<double>(k);
  return {level, level, level};
}

Rgb pixel(const Frames& frames, int64_t frame, double u, double v) {
  const int64_t size = frames.pixels.shape()[1];
  const auto at = [=](double share) {
    return std::min(size - 1, static_cast<int64_t>(share * static_cast<double>(size)));
  };
  const uint8_t* p = frames.pixels.data<uint8_t>() + ((frame * size + at(v)) * size + at(u)) * 3;
  return {double(p[0]), double(p[1]), double(p[2])};
}

void expect_near(const Rgb& got, const Rgb& expected, double tolerance, const std::string& where) {
  for (size_t c = 0; c < 3; ++c) EXPECT_NEAR(got[c], expected[c], tolerance) << where << ", channel " << c;
}

constexpr std::array<Rgb, 4> kCorners = {Rgb{230, 40, 30}, Rgb{30, 200, 60}, Rgb{40, 60, 220}, Rgb{220, 220, 40}};

// One colour per quarter: top left, top right, bottom left, bottom right.
Rgb four_corners(int64_t, double u, double v) {
  return kCorners[static_cast<size_t>((v < 0.5 ? 0 : 2) + (u < 0.5 ? 0 : 1))];
}

void expect_corners(const Frames& frames, const std::array<int, 4>& which, double tolerance, const std::string& what) {
  const std::array<std::array<double, 2>, 4> places = {{{0.2, 0.2}, {0.8, 0.2}, {0.2, 0.8}, {0.8, 0.8}}};
  for (size_t i = 0; i < 4; ++i)
    expect_near(pixel(frames, 0, places[i][0], places[i][1]), kCorners[static_cast<size_t>(which[i])], tolerance,
                str(what, ", corner ", i));
}

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string reason_for(const std::filesystem::path& path) {
  try {
    sample_frames(path);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

// ---- time -------------------------------------------------------------------

TEST(Frames, ComeFromTheMiddleOfEachInterval) {
  const Folder folder;
  make_video(folder / "a.mkv", {.times_ms = test::regular_ms(24, 8), .last_ms = 125, .paint = grey_of_picture});
  const auto frames = sample_frames(folder / "a.mkv", {.frames_per_second = 2, .max_seconds = 10, .image_size = 16});
  ASSERT_TRUE(frames);
  EXPECT_EQ(frames->pixels.shape(), (Shape{6, 16, 16, 3}));
  EXPECT_EQ(frames->seconds, (std::vector<double>{0.25, 0.75, 1.25, 1.75, 2.25, 2.75}));
  EXPECT_EQ(pictures_in(*frames), (std::vector<int64_t>{2, 6, 10, 14, 18, 22}));
}

TEST(Frames, AreTwentyOfATenSecondClipAndNoMoreOfALongerOne) {
  const Folder folder;
  for (const int64_t seconds : {10, 12}) {
    make_video(folder / "a.mkv",
               {.width = 16, .height = 16, .times_ms = test::regular_ms(seconds * 5, 5), .last_ms = 200});
    EXPECT_EQ(sample_frames(folder / "a.mkv", {.image_size = 8})->pixels.shape()[0], 20) << seconds;
  }
}

TEST(Frames, FollowPresentationTimesOfAVariableFrameRate) {
  const Folder folder;
  make_video(folder / "a.mkv", {.times_ms = {0, 100, 2000, 2300, 3900}, .last_ms = 600, .paint = grey_of_picture});
  const auto frames = sample_frames(folder / "a.mkv", {.image_size = 8});
  // Sample times 0.25 0.75 1.25 1.75 2.25 2.75 3.25 3.75 4.25; the last picture ends at 4.5.
  EXPECT_EQ(pictures_in(*frames), (std::vector<int64_t>{1, 1, 1, 1, 2, 3, 3, 3, 4}));
}

TEST(Frames, OfAClipShorterThanHalfAnIntervalAreOne) {
  const Folder folder;
  make_video(folder / "a.mkv", {.times_ms = {0}, .last_ms = 40, .paint = grey_of_picture});
  EXPECT_EQ(sample_frames(folder / "a.mkv", {.image_size = 8})->pixels.shape()[0], 1);
}

// Dropping undecoded pictures must not change the frames: H.264 with B-pictures compared with lossless FFV1.
TEST(Frames, AreTheSameWhetherOrNotTheCodecReordersPictures) {
  if (avcodec_find_encoder_by_name("libx264") == nullptr) GTEST_SKIP() << "no libx264";
  const Folder folder;
  VideoSpec spec{.times_ms = test::regular_ms(25, 10), .last_ms = 100, .paint = grey_of_picture};
  spec.format = AV_PIX_FMT_YUV420P;
  make_video(folder / "a.mkv", spec);
  spec.container = "mp4", spec.codec = "libx264";
  make_video(folder / "a.mp4", spec);
  const FrameOptions options{.frames_per_second = 3, .max_seconds = 10, .image_size = 8};
  EXPECT_EQ(pictures_in(*sample_frames(folder / "a.mp4", options)),
            pictures_in(*sample_frames(folder / "a.mkv", options)));
}

// ---- position and colour ------------------------------------------------------

TEST(Frames, ApplyRotationMetadata) {
  const Folder folder;
  const std::array<std::array<int, 4>, 4> shown = {{{0, 1, 2, 3}, {2, 0, 3, 1}, {3, 2, 1, 0}, {1, 3, 0, 2}}};
  for (size_t quarter = 0; quarter < 4; ++quarter) {
    VideoSpec spec{.container = "mov", .width = 96, .height = 64, .paint = four_corners};
    spec.rotation_degrees = 90.0 * static_cast<double>(quarter);
    make_video(folder / "a.mov", spec);
    expect_corners(*sample_frames(folder / "a.mov", {.image_size = 32}), shown[quarter], 3,
                   str(90 * quarter, " degrees"));
  }
}

TEST(Frames, SqueezeTheWholePictureWhateverThePixelShape) {
  const Folder folder;
  for (const AVRational aspect : {AVRational{1, 1}, AVRational{4, 3}, AVRational{1, 2}}) {
    make_video(folder / "a.mkv", {.width = 120, .height = 40, .pixel_aspect = aspect, .paint = four_corners});
    expect_corners(*sample_frames(folder / "a.mkv", {.image_size = 24}), {0, 1, 2, 3}, 3,
                   str(aspect.num, ":", aspect.den));
  }
}

TEST(Frames, TakeOddAndTinySizes) {
  const Folder folder;
  for (const auto& [width, height] : {std::pair{33, 17}, {17, 33}, {1, 1}, {2, 2}, {3, 201}})
    for (const AVPixelFormat format : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P}) {
      VideoSpec spec{.width = width, .height = height, .format = format};
      spec.paint = [](int64_t, double, double) { return Rgb{200, 100, 50}; };
      make_video(folder / "a.mkv", spec);
      for (const int64_t size : {7, 64}) {
        const Frames frames = *sample_frames(folder / "a.mkv", {.image_size = size});
        for (const double u : {0.01, 0.5, 0.99})
          expect_near(pixel(frames, 0, u, u), {200, 100, 50}, 3, str(width, " x ", height, " to ", size));
      }
    }
}

struct ColourCase {
  AVPixelFormat format;
  AVColorSpace matrix;
  AVColorRange range;
};

TEST(Frames, HaveTheColoursTheStreamMeans) {
  const Folder folder;
  std::vector<ColourCase> cases;
  for (const AVColorSpace matrix :
       {AVCOL_SPC_UNSPECIFIED, AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M, AVCOL_SPC_BT709, AVCOL_SPC_BT2020_NCL})
    for (const AVColorRange range : {AVCOL_RANGE_UNSPECIFIED, AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG})
      for (const AVPixelFormat format : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV420P10,
                                         AV_PIX_FMT_YUV444P10, AV_PIX_FMT_YUVA420P, AV_PIX_FMT_YUVA444P})
        cases.push_back({format, matrix, range});
  cases.push_back({AV_PIX_FMT_BGR0, AVCOL_SPC_RGB, AVCOL_RANGE_JPEG});
  for (const ColourCase& c : cases) {
    make_video(folder / "a.mkv", {.format = c.format, .matrix = c.matrix, .range = c.range, .paint = four_corners});
    const std::string what = str(av_get_pix_fmt_name(c.format), ", matrix ", av_color_space_name(c.matrix), ", range ",
                                 av_color_range_name(c.range));
    expect_corners(*sample_frames(folder / "a.mkv", {.image_size = 32}), {0, 1, 2, 3}, 3, what);
  }
}

TEST(Frames, KeepTheLevelsOfGreyVideo) {
  const Folder folder;
  for (const AVPixelFormat format : {AV_PIX_FMT_GRAY8, AV_PIX_FMT_GRAY10})
    for (const AVColorRange range : {AVCOL_RANGE_UNSPECIFIED, AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG}) {
      VideoSpec spec{.format = format, .range = range};
      spec.paint = [](int64_t, double u, double) { return u < 0.5 ? Rgb{20, 20, 20} : Rgb{235, 235, 235}; };
      make_video(folder / "a.mkv", spec);
      const Frames frames = *sample_frames(folder / "a.mkv", {.image_size = 16});
      const std::string what = str(av_get_pix_fmt_name(format), ", range ", av_color_range_name(range));
      expect_near(pixel(frames, 0, 0.1, 0.5), {20, 20, 20}, 2, what);
      expect_near(pixel(frames, 0, 0.9, 0.5), {235, 235, 235}, 2, what);
    }
}

TEST(Frames, OfUnlabelledHighDefinitionUseBt709) {
  const Folder folder;
  VideoSpec spec{.width = 1280, .height = 16, .matrix = AVCOL_SPC_BT709, .paint = four_corners};
  make_video(folder / "labelled.mkv", spec);
  const Frames labelled = *sample_frames(folder / "labelled.mkv", {.image_size = 32});
  spec.container = "avi";  // AVI cannot store the colour space
  make_video(folder / "bare.avi", spec);
  const Frames bare = *sample_frames(folder / "bare.avi", {.image_size = 32});
  EXPECT_TRUE(std::equal(bare.pixels.data<uint8_t>(), bare.pixels.data<uint8_t>() + bare.pixels.size(),
                         labelled.pixels.data<uint8_t>()));
  expect_corners(bare, {0, 1, 2, 3}, 3, "unlabelled");
}

// ---- files without pictures ---------------------------------------------------

std::string silent_wav() {
  const std::string samples(8000 * 2, '\0');
  std::string wav = "RIFF....WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data....";
  wav = std::string("RIFF\xa4\x3e\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0", 36) +
        std::string("data\x80\x3e\0\0", 8) + samples;
  return wav;
}

TEST(Frames, OfASoundFileAreAbsent) {
  const Folder folder;
  write(folder / "a.wav", silent_wav());
  EXPECT_FALSE(sample_frames(folder / "a.wav"));
}

TEST(Frames, OfAnUnusableFileAreAnErrorNamingItOnOneLine) {
  const Folder folder;
  write(folder / "empty.mp4", "");
  write(folder / "text.mp4", "This is a note, not a film.\n");
  std::string noise(5000, '\0');
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>((i * 2654435761u) >> 13);
  write(folder / "random.mp4", noise);
  for (const std::string name : {"empty.mp4", "text.mp4", "random.mp4", "missing.mp4"}) {
    const std::string reason = reason_for(folder / name);
    EXPECT_NE(reason.find((folder / name).string() + ": "), std::string::npos) << reason;
    EXPECT_EQ(reason.find('\n'), std::string::npos) << reason;
  }
}

TEST(Frames, OfAFileThatBreaksOffAreAnError) {
  const Folder folder;
  VideoSpec spec{.container = "mov", .times_ms = test::regular_ms(40, 4), .last_ms = 250, .paint = four_corners};
  make_video(folder / "a.mov", spec);
  spec.container = "matroska";
  make_video(folder / "a.mkv", spec);
  for (const std::string name : {"a.mov", "a.mkv"}) {
    std::filesystem::resize_file(folder / name, std::filesystem::file_size(folder / name) / 2);
    EXPECT_THROW(sample_frames(folder / name), DataError) << name;
  }
  EXPECT_NE(reason_for(folder / "a.mkv").find("truncated"), std::string::npos) << reason_for(folder / "a.mkv");
}

TEST(Frames, OfAnEncryptedFileAreAnErrorNotNoise) {
  const Folder folder;
  VideoSpec spec{.container = "mp4", .codec = "mpeg4", .times_ms = test::regular_ms(20, 10), .paint = four_corners};
  spec.format = AV_PIX_FMT_YUV420P;
  make_video(folder / "open.mp4", spec);
  EXPECT_TRUE(sample_frames(folder / "open.mp4", {.image_size = 8}));
  spec.muxer_options = {{"encryption_scheme", "cenc-aes-ctr"},
                        {"encryption_key", "000102030405060708090a0b0c0d0e0f"},
                        {"encryption_kid", "0f0e0d0c0b0a09080706050403020100"}};
  make_video(folder / "locked.mp4", spec);
  EXPECT_NE(reason_for(folder / "locked.mp4").find("encrypted"), std::string::npos)
      << reason_for(folder / "locked.mp4");
}

TEST(Frames, RefuseOptionsOutOfRange) {
  EXPECT_THROW(sample_frames("x", {.frames_per_second = 0}), UsageError);
  EXPECT_THROW(sample_frames("x", {.max_seconds = -1}), UsageError);
  const Folder folder;
  make_video(folder / "a.mkv", {});
  EXPECT_THROW(sample_frames(folder / "a.mkv", {.image_size = 0}), UsageError);
}

// ---- stills -----------------------------------------------------------------

TEST(Stills, AreOneFrame) {
  const Folder folder;
  Tensor picture = Tensor::empty({20, 30, 3}, DType::U8);
  for (int64_t i = 0; i < picture.size(); ++i) {
    const Rgb rgb = four_corners(0, static_cast<double>(i / 3 % 30) / 30, static_cast<double>(i / 90) / 20);
    picture.data<uint8_t>()[i] = static_cast<uint8_t>(rgb[static_cast<size_t>(i % 3)]);
  }
  const std::vector<uint8_t> png = encode_png(picture), jpeg = encode_jpeg(picture, 95);
  write(folder / "a.png", {png.begin(), png.end()});
  write(folder / "a.jpg", {jpeg.begin(), jpeg.end()});
  for (const std::string name : {"a.png", "a.jpg"}) {
    EXPECT_TRUE(is_still_image(folder / name)) << name;
    expect_corners(*sample_frames(folder / name, {.image_size = 16}), {0, 1, 2, 3}, 8, name);
  }
  const Image back = read_image(folder / "a.png");
  EXPECT_EQ(back.pixels.to_vector(), picture.to_vector());
}

TEST(Stills, AreTurnedAsTheirExifTagSays) {
  const Folder folder;
  Tensor picture = Tensor::empty({32, 32, 3}, DType::U8);
  for (int64_t i = 0; i < picture.size(); ++i) {
    const Rgb rgb = four_corners(0, static_cast<double>(i / 3 % 32) / 32, static_cast<double>(i / 96) / 32);
    picture.data<uint8_t>()[i] = static_cast<uint8_t>(rgb[static_cast<size_t>(i % 3)]);
  }
  const std::vector<uint8_t> jpeg = encode_jpeg(picture, 95);
  // Tag 0x0112 as exiftool documents it: 3 rotates by 180, 6 clockwise by 90, 8 by 270; 2 and 4 mirror.
  const std::vector<std::pair<char, std::array<int, 4>>> cases = {
      {1, {0, 1, 2, 3}}, {2, {1, 0, 3, 2}}, {3, {3, 2, 1, 0}}, {4, {2, 3, 0, 1}},
      {5, {0, 2, 1, 3}}, {6, {2, 0, 3, 1}}, {7, {3, 1, 2, 0}}, {8, {1, 3, 0, 2}}};
  for (const auto& [value, shown] : cases) {
    std::string bytes(jpeg.begin(), jpeg.end());
    std::string exif(
        "\xff\xe1\0\x22"
        "Exif\0\0"
        "II*\0\x08\0\0\0"
        "\x01\0"
        "\x12\x01\x03\0\x01\0\0\0",
        28);
    exif += std::string({value, 0, 0, 0}) + std::string(4, '\0');
    bytes.insert(2, exif);
    write(folder / "a.jpg", bytes);
    expect_corners(*sample_frames(folder / "a.jpg", {.image_size = 16}), shown, 10, str("orientation ", int{value}));
  }
}

TEST(Stills, ThatAreBrokenAreAnErrorNamingTheFile) {
  const Folder folder;
  write(folder / "a.png", "\x89PNG\r\n\x1a\n and then nothing");
  EXPECT_NE(reason_for(folder / "a.png").find("a.png"), std::string::npos);
  EXPECT_THROW(encode_png(Tensor::zeros({4, 4, 2}, DType::U8)), ShapeError);
  EXPECT_THROW(encode_jpeg(Tensor::zeros({4, 4, 3})), ShapeError);
}

// ---- real files -------------------------------------------------------------

TEST(Frames, OfRealClipsAreAsManyAsTheirSecondsGive) {
  const char* root = std::getenv("AVS_DATA");
  const std::filesystem::path clips =
      std::filesystem::path(root != nullptr ? root : AVS_SOURCE_DIR "/../shared/data") / "clips";
  if (!std::filesystem::exists(clips)) GTEST_SKIP() << "no test clips at " << clips;
  const std::vector<std::pair<std::string, int64_t>> expected = {{"big_buck_bunny_432_433.webm", 2},
                                                                 {"bitmap.mp4", 10},
                                                                 {"chaplin.mp4", 19},
                                                                 {"example.mp4", 20},
                                                                 {"example2.mp4", 4},
                                                                 {"example_mask.mp4", 20},
                                                                 {"no_duration.webm", 10},
                                                                 {"openl3_bento.mp4", 2},
                                                                 {"smpte-2997.mp4", 20},
                                                                 {"transparent.webm", 10},
                                                                 {"video_with_failing_audio.mp4", 20}};
  for (const auto& [name, count] : expected) {
    const auto frames = sample_frames(clips / name, {.image_size = 32});
    ASSERT_TRUE(frames) << name;
    EXPECT_EQ(frames->pixels.shape()[0], count) << name;
  }
  EXPECT_NE(reason_for(clips / "result.webm").find("empty"), std::string::npos);
}

}  // namespace
}  // namespace avs
