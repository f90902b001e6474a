// Cut files, and complete files with wrong headers.
#include "vision/file_end.h"

#include <fstream>

#include "audio/decode.h"
#include "tests/audio/encode_sound.h"
#include "tests/audio/support.h"

namespace avs {
namespace {

using testing::HasSubstr;

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void cut(const std::filesystem::path& path, double share) {
  const auto size = static_cast<double>(std::filesystem::file_size(path));
  std::filesystem::resize_file(path, static_cast<uintmax_t>(size * share));
}

struct SoundFormat {
  std::string name;
  SoundFile spec;
};

std::vector<SoundFormat> sound_formats() {
  std::vector<SoundFormat> formats = {
      {"x.wav", {"wav", "pcm_s16le"}}, {"x.aiff", {"aiff", "pcm_s16be"}}, {"x.au", {"au", "pcm_s16be"}},
      {"x.flac", {"flac", "flac"}},    {"x.mp3", {"mp3", "libmp3lame"}},  {"x.ogg", {"ogg", "libvorbis"}},
      {"x.opus", {"opus", "libopus"}}, {"x.wma", {"asf", "wmav2"}},       {"x.mka", {"matroska", "pcm_s16le"}},
      {"x.avi", {"avi", "pcm_s16le"}}, {"x.flv", {"flv", "adpcm_swf"}}};
  for (SoundFormat& format : formats)
    if (format.spec.encoder == "libopus") format.spec.rate_hz = 48000;
  formats.push_back({"x.m4a", {"mp4", "aac"}});
  formats.back().spec.muxer_options = {{"movflags", "+faststart"}};
  formats.push_back({"x.mp4", {"mp4", "aac"}});
  formats.back().spec.muxer_options = {{"movflags", "empty_moov+default_base_moof"}, {"frag_duration", "500000"}};
  return formats;
}

TEST(CutSound, IsNoticedInEveryFormat) {
  const TemporaryFolder folder;
  for (const SoundFormat& format : sound_formats()) {
    if (!has_encoder(format.spec.encoder)) continue;
    const std::filesystem::path path = folder / format.name;
    encode_sound(path, format.spec);
    const Waveform whole = decode_sound(path, 10).value();
    EXPECT_NEAR(whole.seconds(), 6, 0.1) << format.name;
    EXPECT_EQ(whole.note, "") << format.name;
    cut(path, 0.6);
    EXPECT_THAT(message_of<Truncated>([&] { decode_sound(path, 10); }),
                testing::StartsWith(path.string() + ": truncated: its sound ends at second "));
    EXPECT_NEAR(decode_sound(path, 2)->seconds(), 2, 0.1) << format.name << ": what is there is enough";
  }
}

TEST(CutSound, IsTheSecondHalfThatNobodyAskedFor) {
  const TemporaryFolder folder;
  encode_sound(folder / "x.wav", {.muxer = "wav", .encoder = "pcm_s16le", .seconds = 20, .rate_hz = 8000});
  cut(folder / "x.wav", 0.6);
  EXPECT_EQ(decode_sound(folder / "x.wav", 10.1)->frames(), 80800);
}

// Programs that write to a pipe cannot seek back to write the length.
TEST(WholeSound, MayLackItsLength) {
  const TemporaryFolder folder;
  encode_sound(folder / "x.wav", {.muxer = "wav", .encoder = "pcm_s16le", .seconds = 6, .rate_hz = 8000});
  const std::string bytes = bytes_of(folder / "x.wav");
  for (const std::string& length : {std::string("\xff\xff\xff\xff"), std::string("\0\xf0\xff\x7f", 4)}) {
    std::string streamed = bytes;
    streamed.replace(streamed.find("data") + 4, 4, length);
    write_text(folder / "x.wav", streamed);
    const Waveform sound = decode_sound(folder / "x.wav", 10).value();
    EXPECT_EQ(sound.frames(), 48000);
    EXPECT_EQ(sound.note, "");
  }
}

TEST(WholeSound, WithAWrongHeaderIsKeptWithANote) {
  const TemporaryFolder folder;
  encode_sound(folder / "x.flv", {.muxer = "flv", .encoder = "adpcm_swf"});
  const std::string bytes = bytes_of(folder / "x.flv");
  for (const auto& [number, seconds] : {std::pair{std::string("\x40\x2c\0\0\0\0\0\0", 8), "14.0"},
                                        {std::string("\x40\x5f\x40\0\0\0\0\0", 8), "125.0"}}) {
    std::string wrong = bytes;
    wrong.replace(wrong.find("duration") + 9, 8, number);
    write_text(folder / "x.flv", wrong);
    const Waveform sound = decode_sound(folder / "x.flv", 10).value();
    EXPECT_NEAR(sound.seconds(), 6, 0.1);
    EXPECT_THAT(sound.note, HasSubstr(str("the header promises ", seconds, " s, the file holds ")));
  }
}

// ---- clocks that jump ---------------------------------------------------------

TEST(JoinedSound, GoesOnWhereTheClockRestarts) {
  const TemporaryFolder folder;
  encode_sound(folder / "a.ts", {.muxer = "mpegts", .encoder = "mp2", .seconds = 3});
  encode_sound(folder / "b.ts", {.muxer = "mpegts", .encoder = "mp2", .seconds = 2});
  write_text(folder / "ab.ts", bytes_of(folder / "a.ts") + bytes_of(folder / "b.ts"));
  EXPECT_NEAR(decode_sound(folder / "ab.ts", 10)->seconds(), 5, 0.1);
}

// At the join the clock jumps ahead by a day; a step may be at most ten seconds.
TEST(JoinedSound, GoesOnWhereTheClockJumpsAhead) {
  const TemporaryFolder folder;
  encode_sound(folder / "a.ts", {.muxer = "mpegts", .encoder = "mp2", .seconds = 3});
  encode_sound(folder / "b.ts",
               {.muxer = "mpegts", .encoder = "mp2", .seconds = 2, .muxer_options = {{"output_ts_offset", "50000"}}});
  write_text(folder / "ab.ts", bytes_of(folder / "a.ts") + bytes_of(folder / "b.ts"));
  EXPECT_NEAR(decode_sound(folder / "ab.ts", 10)->seconds(), 5, 0.1);
}

// ---- damage -------------------------------------------------------------------

TEST(DamagedSound, IsSilentThereAndSaysFromWhereOn) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "x.m4a";
  encode_sound(path, {.muxer = "mp4", .encoder = "aac", .seconds = 6, .muxer_options = {{"movflags", "+faststart"}}});
  std::string bytes = bytes_of(path);
  for (size_t i = bytes.size() / 2; i < bytes.size(); ++i) bytes[i] = static_cast<char>(0xf3);
  write_text(path, bytes);
  const Waveform sound = decode_sound(path, 10).value();
  EXPECT_NEAR(sound.seconds(), 6, 0.1);
  EXPECT_THAT(sound.note, testing::MatchesRegex("its sound is damaged from second [23]\\.[0-9] on .*"));
}

}  // namespace
}  // namespace avs
