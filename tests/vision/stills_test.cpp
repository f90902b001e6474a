// Still pictures: orientation, size, file formats.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "tests/audio/read_fault.h"
#include "tests/vision/make_video.h"
#include "vision/frames.h"
#include "vision/image.h"

namespace avs {
namespace {

using test::Folder;
using test::make_video;
using test::Rgb;
using test::VideoSpec;
using test::write_bytes;

std::string big(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string little(uint32_t value, size_t bytes = 4) {
  std::string text = big(value);
  std::reverse(text.begin(), text.end());
  return text.substr(0, bytes);
}

// Brightness of the corners: top left 40, top right 90, bottom left 140, bottom right 190.
uint8_t corner_level(double u, double v) { return static_cast<uint8_t>(40 + (u < 0.5 ? 0 : 50) + (v < 0.5 ? 0 : 100)); }

std::string corners_of(const std::filesystem::path& path) {
  const Frames frames = *sample_frames(path, {.image_size = 16});
  std::string order;
  for (const auto& [x, y] : {std::pair{3, 3}, {12, 3}, {3, 12}, {12, 12}}) {
    const int level = frames.pixels.data<uint8_t>()[(y * 16 + x) * 3];
    order += static_cast<char>('0' + (level - 15) / 50);
  }
  return order;
}

// The tag's eight values as exiftool documents them; for each displayed corner, the stored corner.
const std::vector<std::pair<int, std::string>> kTurns = {{1, "0123"}, {2, "1032"}, {3, "3210"}, {4, "2301"},
                                                         {5, "0213"}, {6, "2031"}, {7, "3120"}, {8, "1302"}};

std::string exif(int turn, bool is_big) {
  if (is_big)
    return std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19) + static_cast<char>(turn) +
           std::string(6, '\0');
  return std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18) + static_cast<char>(turn) +
         std::string(7, '\0');
}

std::string png() {
  Tensor picture = Tensor::empty({32, 48, 3}, DType::U8);
  for (int64_t i = 0; i < picture.size(); ++i)
    picture.data<uint8_t>()[i] = corner_level(static_cast<double>(i / 3 % 48) / 48, static_cast<double>(i / 144) / 32);
  const std::vector<uint8_t> bytes = encode_png(picture);
  return {bytes.begin(), bytes.end()};
}

std::string png_chunk(const std::string& type, const std::string& data) {
  return big(static_cast<uint32_t>(data.size())) + type + data + std::string(4, '\0');  // checksums are not verified
}

TEST(StillsOfPng, AreTurnedByTheirExifChunk) {
  const Folder folder;
  const std::string plain = png();
  for (const auto& [turn, shown] : kTurns)
    for (const bool is_big : {false, true})
      for (const size_t at : {size_t{33}, plain.size() - 12}) {  // after IHDR, before IEND
        std::string bytes = plain;
        bytes.insert(at, png_chunk("eXIf", exif(turn, is_big)));
        write_bytes(folder / "x.png", bytes);
        EXPECT_EQ(corners_of(folder / "x.png"), shown) << "value " << turn;
      }
}

TEST(StillsOfWebP, AreTurnedByTheirExifChunk) {
  if (avcodec_find_encoder_by_name("libwebp") == nullptr) GTEST_SKIP() << "no libwebp";
  const Folder folder;
  VideoSpec spec{.container = "webp", .codec = "libwebp", .width = 48, .height = 32, .format = AV_PIX_FMT_YUV420P};
  spec.paint = [](int64_t, double u, double v) {
    const double level = corner_level(u, v);
    return Rgb{level, level, level};
  };
  make_video(folder / "plain.webp", spec);
  const std::string plain = test::bytes_of(folder / "plain.webp");
  ASSERT_EQ(plain.substr(12, 4), "VP8 ");
  const std::string head = "VP8X" + little(10) + little(8) + little(47, 3) + little(31, 3);  // flag: EXIF follows
  for (const auto& [turn, shown] : kTurns)
    for (const std::string prefix : {"", "Exif"}) {  // some writers keep JPEG's prefix
      const std::string data = (prefix.empty() ? "" : std::string("Exif\0\0", 6)) + exif(turn, turn % 2 == 0);
      const std::string body =
          "WEBP" + head + plain.substr(12) + "EXIF" + little(static_cast<uint32_t>(data.size())) + data;
      write_bytes(folder / "x.webp", "RIFF" + little(static_cast<uint32_t>(body.size())) + body);
      EXPECT_EQ(corners_of(folder / "x.webp"), shown) << "value " << turn;
    }
}

// TIFF 6.0: one strip of grey, 48 x 32, and a directory of nine entries.
TEST(StillsOfTiff, AreTurnedByTheirTag) {
  const Folder folder;
  for (const auto& [turn, shown] : kTurns) {
    const auto entry = [](uint32_t tag, uint32_t type, uint32_t value) {
      return little(tag, 2) + little(type, 2) + little(1) + little(value);
    };
    std::string bytes = std::string("II*\0\x08\0\0\0", 8) + little(9, 2) + entry(256, 3, 48) + entry(257, 3, 32) +
                        entry(258, 3, 8) + entry(259, 3, 1) + entry(262, 3, 1) + entry(273, 4, 122) +
                        entry(274, 3, static_cast<uint32_t>(turn)) + entry(277, 3, 1) + entry(279, 4, 48 * 32) +
                        little(0);
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 48; ++x) bytes += static_cast<char>(corner_level((x + 0.5) / 48, (y + 0.5) / 32));
    write_bytes(folder / "x.tiff", bytes);
    EXPECT_EQ(corners_of(folder / "x.tiff"), shown) << "value " << turn;
  }
}

std::string refusal_of(const std::filesystem::path& path) {
  try {
    sample_frames(path);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(StillsOfWebP, ThatMoveAreRefusedInOneLine) {
  const Folder folder;
  const std::string body = "WEBPVP8X" + little(10) + little(2) + little(7, 3) + little(7, 3) + "ANIM" + little(6) +
                           std::string(6, '\0') + "ANMF" + little(16) + std::string(16, '\0');
  write_bytes(folder / "x.webp", "RIFF" + little(static_cast<uint32_t>(body.size())) + body);
  EXPECT_EQ(refusal_of(folder / "x.webp")
                .find((folder / "x.webp").string() + ": an animated WebP picture, which this FFmpeg"),
            0u)
      << refusal_of(folder / "x.webp");
}

// A sparse file of one gigabyte.
TEST(Stills, AreJudgedByTheirHeaderBeforeTheyAreRead) {
  const Folder folder;
  for (const std::string& begin : {png(), std::string("\x89PNG\r\n\x1a\n"), std::string("\xff\xd8\xff\xe0")}) {
    write_bytes(folder / "x.png", begin);
    std::filesystem::resize_file(folder / "x.png", 1 << 30);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_NE(refusal_of(folder / "x.png"), "no error");
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  }
}

TEST(Pictures, AreOfRegularFilesOnly) {
  const Folder folder;
  ASSERT_EQ(::mkfifo((folder / "x.png").c_str(), 0600), 0);
  std::filesystem::create_symlink("/dev/zero", folder / "y.png");
  for (const std::string name : {"x.png", "y.png"})
    EXPECT_EQ(refusal_of(folder / name), (folder / name).string() + ": not a regular file");
}

// Fails each read in turn: an I/O error must not look like a cut picture.
TEST(Pictures, WhoseReadingFailsAreAnErrorOfTheMachine) {
  const Folder folder;
  write_bytes(folder / "x.png", png());
  make_video(folder / "x.mkv", {.times_ms = test::regular_ms(30, 10)});
  make_video(
      folder / "x.mp4",
      {.container = "mp4", .codec = "mpeg4", .format = AV_PIX_FMT_YUV420P, .times_ms = test::regular_ms(30, 10)});
  for (const std::string name : {"x.png", "x.mkv", "x.mp4"}) {
    int nth = 1;
    for (bool has_failed = true; has_failed; ++nth) {
      const test::ReadFault fault(nth);
      try {
        sample_frames(folder / name, {.image_size = 8});
        has_failed = test::ReadFault::has_failed;
        EXPECT_FALSE(has_failed) << name << ": read " << nth << " failed unnoticed";
        if (has_failed) break;
      } catch (const SystemError& error) {
        EXPECT_EQ(error.what(), (folder / name).string() + ": cannot be read: " + std::strerror(EIO));
      }
    }
    EXPECT_GT(nth, 3) << name;
  }
}

// Writes every format that FFmpeg has an encoder for, and reads it like FFmpeg alone, still pictures included.
TEST(Pictures, AreOfEveryFormatThatFfmpegWrites) {
  const Folder folder;
  void* position = nullptr;
  int opened = 0;
  const auto try_one = [&](const std::string& container, const AVCodec& encoder, const std::string& name) {
    VideoSpec spec{.container = container, .codec = encoder.name, .width = 64, .height = 64};
    spec.format = encoder.pix_fmts != nullptr ? encoder.pix_fmts[0] : AV_PIX_FMT_YUV420P;
    try {
      make_video(folder / name, spec);
    } catch (const Error&) {
      return;  // this muxer or encoder does not accept a small picture
    }
    AVFormatContext* plain = nullptr;
    if (avformat_open_input(&plain, (folder / name).c_str(), nullptr, nullptr) < 0) return;
    const FormatPtr theirs(plain);
    const std::string format = plain->iformat->name;
    if (avformat_find_stream_info(plain, nullptr) < 0 || plain->nb_streams == 0 || format == "image2") return;
    if (plain->streams[0]->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) return;
    try {
      EXPECT_EQ(MediaFile(folder / name).native().iformat->name, format) << container << ", " << encoder.name;
      ++opened;
    } catch (const DataError& error) {
      ADD_FAILURE() << container << ", " << encoder.name << ": " << error.what();
    }
  };
  while (const AVOutputFormat* const muxer = av_muxer_iterate(&position)) {
    const AVCodec* const encoder = avcodec_find_encoder(muxer->video_codec);
    if (encoder == nullptr || (muxer->flags & AVFMT_NOFILE) != 0 || muxer->extensions == nullptr) continue;
    if (muxer->video_codec == AV_CODEC_ID_HEVC) continue;  // its encoder prints to stderr
    const std::string extensions = muxer->extensions;
    try_one(muxer->name, *encoder, "x." + extensions.substr(0, extensions.find(',')));
  }
  for (const char* const codec : {"bmp", "dpx", "exr", "jpegls", "jpeg2000", "pam", "pbm", "pcx", "pgm", "ppm", "png",
                                  "qoi", "sgi", "sunrast", "tiff", "xbm", "xwd", "mjpeg", "libwebp"})
    if (const AVCodec* const encoder = avcodec_find_encoder_by_name(codec))
      try_one("image2pipe", *encoder, str("x.", codec));
  EXPECT_GT(opened, 30);
}

// FFmpeg's probe does not recognise TGA, nor PPM with a one-line header, by content.
TEST(Pictures, ThatOnlyTheirNameTellsAreRead) {
  const Folder folder;
  const std::string red = std::string("\xc8\x10\x20", 3), header = "P6 64 64 255\n";
  std::string ppm = header, tga("\0\0\2\0\0\0\0\0\0\0\0\0\x40\0\x40\0\x18\x20", 18);
  for (int i = 0; i < 64 * 64; ++i) {
    ppm += red;
    tga += {red[2], red[1], red[0]};
  }
  for (const auto& [name, bytes] : {std::pair<const char*, const std::string&>{"x.ppm", ppm}, {"x.tga", tga}}) {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    const std::optional<Frames> frames = sample_frames(folder / name, {.image_size = 32});
    ASSERT_TRUE(frames) << name;
    ASSERT_EQ(frames->pixels.shape(), (Shape{1, 32, 32, 3})) << name;
    const uint8_t* const pixel = frames->pixels.data<uint8_t>();
    EXPECT_NEAR(pixel[0], 200, 2) << name;
    EXPECT_NEAR(pixel[1], 16, 2) << name;
    EXPECT_NEAR(pixel[2], 32, 2) << name;
  }
}

}  // namespace
}  // namespace avs
