#include "audio/resample.h"

#include <soxr.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "tensor/error.h"

namespace avs {
namespace {

constexpr float kHalfPower = static_cast<float>(1 / std::numbers::sqrt2);

// What each channel gives to the left and to the right.
using Mix = std::array<float, 2>;
constexpr Mix kLeft = {1, 0}, kRight = {0, 1}, kBoth = {1, 1}, kNone = {0, 0};
constexpr Mix kCentre = {kHalfPower, kHalfPower}, kBackCentre = {0.5f, 0.5f};
constexpr Mix kSideLeft = {kHalfPower, 0}, kSideRight = {0, kHalfPower};
const std::array<std::vector<Mix>, 9> kDownmix = {{
    {},
    {kBoth},
    {kLeft, kRight},
    {kLeft, kRight, kCentre},
    {kLeft, kRight, kSideLeft, kSideRight},
    {kLeft, kRight, kCentre, kSideLeft, kSideRight},
    {kLeft, kRight, kCentre, kNone, kSideLeft, kSideRight},
    {kLeft, kRight, kCentre, kNone, kBackCentre, kSideLeft, kSideRight},
    {kLeft, kRight, kCentre, kNone, kSideLeft, kSideRight, kSideLeft, kSideRight},
}};

// Beyond the ten seconds that are kept, so that the resampler's filter sees what follows them.
constexpr double kMarginSeconds = 0.1;

}  // namespace

Waveform to_stereo(const Waveform& sound) {
  AVS_CHECK(ShapeError, sound.channels >= 1 && sound.channels < std::ssize(kDownmix), "to_stereo: ", sound.channels,
            " channels, expected 1 to ", std::ssize(kDownmix) - 1);
  if (sound.channels == 2) return sound;
  const std::vector<Mix>& mix = kDownmix[static_cast<size_t>(sound.channels)];
  Waveform stereo{.sample_rate_hz = sound.sample_rate_hz, .channels = 2, .samples = {}};
  stereo.samples.resize(static_cast<size_t>(sound.frames() * 2));
  for (size_t t = 0; t < static_cast<size_t>(sound.frames()); ++t)
    for (size_t c = 0; c < mix.size(); ++c)
      for (size_t side = 0; side < 2; ++side)
        stereo.samples[2 * t + side] += mix[c][side] * sound.samples[t * mix.size() + c];
  return stereo;
}

Waveform resample(const Waveform& sound, int64_t sample_rate_hz) {
  AVS_CHECK(ShapeError, sound.sample_rate_hz > 0 && sound.channels > 0 && sample_rate_hz > 0,
            "resample: ", sound.channels, " channels from ", sound.sample_rate_hz, " to ", sample_rate_hz, " Hz");
  if (sound.sample_rate_hz == sample_rate_hz) return sound;
  const double ratio = static_cast<double>(sample_rate_hz) / static_cast<double>(sound.sample_rate_hz);
  const int64_t frames = static_cast<int64_t>(std::ceil(static_cast<double>(sound.frames()) * ratio));
  Waveform result{.sample_rate_hz = sample_rate_hz, .channels = sound.channels, .samples = {}};
  result.samples.resize(static_cast<size_t>(frames * sound.channels));
  const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, 0);
  size_t read = 0, written = 0;
  const soxr_error_t error =
      soxr_oneshot(static_cast<double>(sound.sample_rate_hz), static_cast<double>(sample_rate_hz),
                   static_cast<unsigned>(sound.channels), sound.samples.data(), static_cast<size_t>(sound.frames()),
                   &read, result.samples.data(), static_cast<size_t>(frames), &written, nullptr, &quality, nullptr);
  if (error != nullptr)
    throw Error(str("resample: libsoxr from ", sound.sample_rate_hz, " to ", sample_rate_hz, " Hz: ", error));
  result.samples.resize(written * static_cast<size_t>(sound.channels));
  return result;
}

Waveform fit_length(Waveform sound, int64_t frames, ShortClip short_clip) {
  AVS_CHECK(ShapeError, sound.frames() > 0, "fit_length: a sound without samples cannot become ", frames, " frames");
  const size_t have = sound.samples.size(), want = static_cast<size_t>(frames * sound.channels);
  sound.samples.resize(want);
  if (short_clip == ShortClip::Repeat)
    for (size_t i = have; i < want; ++i) sound.samples[i] = sound.samples[i - have];
  return sound;
}

Waveform to_clip(const Waveform& sound, ShortClip short_clip) {
  return fit_length(resample(to_stereo(sound)), kClipSamples, short_clip);
}

std::optional<Waveform> load_clip(const std::filesystem::path& path, ShortClip short_clip) {
  const std::optional<Waveform> sound = decode_sound(path, kClipSeconds + kMarginSeconds);
  if (!sound) return std::nullopt;
  return to_clip(*sound, short_clip);
}

}  // namespace avs
