// Decoding files of all kinds; errors and their messages.
#include "audio/decode.h"

#include "tests/audio/encode_sound.h"
#include "tests/audio/support.h"
#include "tests/vision/container_writer.h"
#include "vision/container.h"

extern "C" {
#include <libswresample/swresample.h>
}

namespace avs {
namespace {

using testing::HasSubstr;
using testing::Not;

// The error for an unusable file: one line that begins with its name.
std::string refusal(const std::filesystem::path& path) {
  const std::string message = message_of<DataError>([&] { decode_sound(path); });
  EXPECT_THAT(message, testing::StartsWith(path.string()));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  return message;
}

TEST(DecodeSound, ReadsWavesOfAnyWidthRateAndNumberOfChannels) {
  const TemporaryFolder folder;
  for (const auto& [format, tolerance] : {std::pair{SF_FORMAT_PCM_U8, 1e-2},
                                          {SF_FORMAT_PCM_16, 1e-4},
                                          {SF_FORMAT_PCM_24, 1e-6},
                                          {SF_FORMAT_FLOAT, 1e-9},
                                          {SF_FORMAT_DOUBLE, 1e-9}})
    for (const int64_t channels : {1, 2, 6, 8}) {
      const Waveform sound = tone(440, 0.25, 44100, channels);
      write_sound(folder / "x.wav", sound, SF_FORMAT_WAV | format);
      const Waveform got = decode_sound(folder / "x.wav").value();
      EXPECT_EQ(got.sample_rate_hz, 44100);
      EXPECT_EQ(got.channels, channels);
      ASSERT_EQ(got.frames(), sound.frames());
      for (size_t i = 0; i < got.samples.size(); i += 17) ASSERT_NEAR(got.samples[i], sound.samples[i], tolerance);
    }
}

TEST(DecodeSound, ReadsFlacAndOgg) {
  const TemporaryFolder folder;
  write_sound(folder / "x.flac", tone(440, 1, 48000, 2), SF_FORMAT_FLAC | SF_FORMAT_PCM_24);
  EXPECT_EQ(decode_sound(folder / "x.flac")->frames(), 48000);
  write_sound(folder / "x.ogg", tone(440, 1, 48000, 2), SF_FORMAT_OGG | SF_FORMAT_VORBIS);
  EXPECT_NEAR(static_cast<double>(decode_sound(folder / "x.ogg")->frames()), 48000, 256);  // FFmpeg drops a block
}

TEST(DecodeSound, GoesByContentNotByName) {
  const TemporaryFolder folder;
  write_sound(folder / "x.mp4", tone(440, 1, 8000, 1), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  EXPECT_EQ(decode_sound(folder / "x.mp4")->frames(), 8000);
}

TEST(DecodeSound, StopsAfterTheWantedSeconds) {
  const TemporaryFolder folder;
  write_sound(folder / "x.wav", tone(440, 60, 8000, 1), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  EXPECT_EQ(decode_sound(folder / "x.wav", 2.5)->frames(), 20000);
  const std::vector<int16_t> minute(480000, 7);
  write_matroska(folder / "x.mkv", 8000, std::vector<TimedSound>{{0, minute}});
  EXPECT_EQ(decode_sound(folder / "x.mkv", 2.5)->frames(), 20000);
}

TEST(SoundReader, ReadsAFileInPieces) {
  const TemporaryFolder folder;
  std::vector<int16_t> ramp(8000 * 3);
  for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<int16_t>(i);
  write_matroska(folder / "x.mkv", 8000, std::vector<TimedSound>{{0, ramp}});
  const std::vector<float> whole = decode_sound(folder / "x.mkv")->samples;
  const std::unique_ptr<SoundReader> reader = SoundReader::open(folder / "x.mkv");
  std::vector<float> pieces;
  for (;;) {
    const Waveform piece = reader->read(0.7);
    if (piece.frames() == 0) break;
    EXPECT_LE(piece.frames(), 5600);
    pieces.insert(pieces.end(), piece.samples.begin(), piece.samples.end());
  }
  ASSERT_EQ(whole.size(), ramp.size());
  EXPECT_EQ(pieces, whole);
}

TEST(DecodeSound, FillsAGapWithSilence) {
  const TemporaryFolder folder;
  const std::vector<int16_t> loud(4000, 16384);
  write_matroska(folder / "x.mkv", 8000, std::vector<TimedSound>{{0, loud}, {2, loud}});
  const Waveform sound = decode_sound(folder / "x.mkv").value();
  ASSERT_NEAR(static_cast<double>(sound.frames()), 20000, 10);
  EXPECT_EQ(sound.samples[3900], 0.5f);
  EXPECT_EQ(sound.samples[4100], 0);
  EXPECT_EQ(sound.samples[15900], 0);
  EXPECT_EQ(sound.samples[16100], 0.5f);
}

TEST(DecodeSound, OfAGapLongerThanWhatIsWantedStopsInTheGap) {
  const TemporaryFolder folder;
  const std::vector<int16_t> loud(4000, 16384);
  write_matroska(folder / "x.mkv", 8000, std::vector<TimedSound>{{0, loud}, {1000, loud}});
  const Waveform sound = decode_sound(folder / "x.mkv", 3).value();
  EXPECT_EQ(sound.frames(), 24000);
  EXPECT_EQ(sound.samples.back(), 0);
}

TEST(DecodeSound, IgnoresTimestampsThatAreALittleOff) {
  const TemporaryFolder folder;
  const std::vector<int16_t> loud(4000, 16384);
  write_matroska(folder / "x.mkv", 8000, std::vector<TimedSound>{{0, loud}, {0.52, loud}, {1.01, loud}});
  EXPECT_EQ(decode_sound(folder / "x.mkv")->frames(), 12000);
}

TEST(DecodeSound, RefusesWhatIsNoMedia) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal(folder / "missing.wav"), HasSubstr("no such file"));
  write_text(folder / "empty.mp4", "");
  EXPECT_THAT(refusal(folder / "empty.mp4"), HasSubstr("empty"));
  for (const std::string name : {"text.wav", "text.mp4", "text.txt", "text.webm", "text.mp3", "text.flac"}) {
    write_text(folder / name, "The quick brown fox jumps over the lazy dog.\nTwice.\n");
    refusal(folder / name);
  }
  std::string noise;
  for (int64_t i = 0; i < 100000; ++i) noise += static_cast<char>(index_noise(i, 3) * 127);
  for (const std::string name : {"noise.wav", "noise.mp4", "noise.mp3", "noise.webm"}) {
    write_text(folder / name, noise);
    refusal(folder / name);
  }
  EXPECT_THAT(refusal(std::filesystem::temp_directory_path()), HasSubstr("not a regular file"));
}

TEST(DecodeSound, RefusesAHeaderWithoutSamples) {
  const TemporaryFolder folder;
  write_sound(folder / "x.wav", tone(440, 0, 8000, 1), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  EXPECT_THAT(refusal(folder / "x.wav"), HasSubstr("no samples"));
}

TEST(DecodeSound, RefusesSamplesThatAreNoNumbers) {
  const TemporaryFolder folder;
  Waveform sound = tone(440, 1, 8000, 1);
  sound.samples[4000] = NAN;
  write_sound(folder / "x.wav", sound, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
  EXPECT_THAT(refusal(folder / "x.wav"), HasSubstr("not finite"));
}

TEST(DecodeSound, RefusesRatesThatNoSoundHas) {
  const TemporaryFolder folder;
  write_sound(folder / "x.wav", tone(440, 1, 2147483647 / 1024, 1), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  EXPECT_EQ(decode_sound(folder / "x.wav", 0.1)->sample_rate_hz, 2097151);
  std::fstream(folder / "x.wav", std::ios::binary | std::ios::in | std::ios::out)
      .seekp(24)
      .write("\xff\xff\xff\x7f", 4);
  EXPECT_THAT(refusal(folder / "x.wav"), HasSubstr("2147483647 Hz; 1 to 8 channels and rates up to 3000000 Hz"));
}

TEST(DecodeSound, RefusesLessThanOneSampleOfAClip) {
  const TemporaryFolder folder;
  for (const int64_t rate_hz : {96000, 192000}) {
    write_sound(folder / "x.wav", tone(440, 1 / static_cast<double>(rate_hz), rate_hz, 1),
                SF_FORMAT_WAV | SF_FORMAT_PCM_16);
    EXPECT_THAT(refusal(folder / "x.wav"), HasSubstr("shorter than one sample at 32000 Hz"));
  }
}

// ---- speakers ---------------------------------------------------------------

// The gain of channel c, a tone of 300 (c + 1) Hz, in one side of a second of stereo.
double gain_of(const Waveform& stereo, size_t c, size_t side) {
  double sum = 0;
  for (size_t t = 0; t < 8000; ++t)
    sum += static_cast<double>(stereo.samples[2 * t + side]) *
           std::sin(2 * std::numbers::pi * 300 * static_cast<double>(c + 1) * static_cast<double>(t) / 8000);
  return sum / (8000 * 0.25 / 2);
}

TEST(Loudspeakers, AreMixedAsFfmpegMixesThem) {
  const TemporaryFolder folder;
  const double h = std::sqrt(0.5);
  const AVChannelLayout stereo = AV_CHANNEL_LAYOUT_STEREO;
  for (const auto& [muxer, encoder] : {std::pair{"wav", "pcm_s32le"},
                                       {"wav", "pcm_s16le"},

                                       {"matroska", "flac"},
                                       {"flac", "flac"}})
    for (const std::string layout : {"2.1", "3.0", "3.1", "4.0", "quad", "quad(side)", "4.1", "5.0", "5.0(side)", "5.1",
                                     "5.1(side)", "6.0", "6.1", "7.0", "7.1", "7.1(wide)"}) {
      const SoundFile spec{.muxer = muxer, .encoder = encoder, .seconds = 1, .rate_hz = 8000, .layout = layout};
      const std::filesystem::path path = folder / ("x." + spec.muxer);
      try {
        encode_sound(path, spec);
      } catch (const Error&) {
        continue;  // FLAC does not support some of these layouts
      }
      const Waveform mixed = to_stereo(decode_sound(path).value());
      AVChannelLayout from = {};
      must(av_channel_layout_from_string(&from, layout.c_str()), layout);
      const auto channels = static_cast<size_t>(from.nb_channels);
      std::vector<double> matrix(2 * channels);
      must(swr_build_matrix2(&from, &stereo, h, h, 0, 1e9, 1, matrix.data(), static_cast<ptrdiff_t>(channels),
                             AV_MATRIX_ENCODING_NONE, nullptr),
           "matrix");
      for (size_t side = 0; side < 2; ++side)
        for (size_t c = 0; c < channels; ++c)
          EXPECT_NEAR(gain_of(mixed, c, side), matrix[side * channels + c], 2e-3)
              << muxer << " " << layout << ", channel " << c << " on side " << side;
    }
}

// ---- real files -------------------------------------------------------------

TEST(LoadClip, OfEveryRecordingHas320000Samples) {
  AVS_TEST_DATA(folder, "tau_wavs");
  int64_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".wav") continue;
    const Waveform clip = load_clip(entry.path()).value();
    EXPECT_EQ(clip.frames(), 320000) << entry.path();
    EXPECT_EQ(clip.channels, 2);
    ++files;
  }
  EXPECT_GT(files, 0);
}

TEST(LoadClip, OfAFilmWithoutSoundIsNothing) {
  AVS_TEST_DATA(film, "clips/example.mp4");
  EXPECT_FALSE(load_clip(film));
}

TEST(LoadClip, OfFilmsIsTheirSound) {
  for (const std::string name : {"big_buck_bunny_432_433.webm", "chaplin.mp4", "no_duration.webm", "openl3_bento.mp4",
                                 "smpte-2997.mp4", "transparent.webm", "video_with_failing_audio.mp4"}) {
    AVS_TEST_DATA(film, "clips/" + name);
    const std::optional<Waveform> clip = load_clip(film);
    ASSERT_TRUE(clip) << name;
    EXPECT_EQ(clip->frames(), kClipSamples) << name;
  }
}

TEST(DecodeSound, OfATruncatedFilmIsRefusedInOneLine) {
  AVS_TEST_DATA(film, "clips/chaplin.mp4");
  const TemporaryFolder folder;
  std::filesystem::copy_file(film, folder / "cut.mp4");
  std::filesystem::permissions(folder / "cut.mp4", std::filesystem::perms::owner_all);
  std::filesystem::resize_file(folder / "cut.mp4", 20000);  // this file's index is at its end
  refusal(folder / "cut.mp4");
}

}  // namespace
}  // namespace avs
