// From any sound to what the spectrograms take: 32 kHz, two channels, ten seconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "audio/decode.h"

namespace avs {

inline constexpr int64_t kSampleRateHz = 32000;
inline constexpr int64_t kClipSamples = 320000;
inline constexpr double kClipSeconds = 10;

// Two channels. One is duplicated; more are downmixed as ITU-R BS.775 does, without scaling back (h = 0.7071):
//   3: L R C              L' = L + h C
//   4: L R BL BR          L' = L + h BL
//   5: L R C BL BR        L' = L + h C + h BL
//   6: L R C LFE BL BR    L' = L + h C + h BL
//   7: L R C LFE BC SL SR         L' = L + h C + BC / 2 + h SL
//   8: L R C LFE BL BR SL SR      L' = L + h C + h BL + h SL
// and R' with R, BR, SR; the low-frequency channel is left out. ShapeError: no channels or more than eight.
Waveform to_stereo(const Waveform& sound);

// libsoxr's "very high quality" (28 bits); ceil(frames * to / from) frames. The same rate comes back unchanged.
// bad_alloc: not the memory that libsoxr, which would not notice, needs.
Waveform resample(const Waveform& sound, int64_t sample_rate_hz = kSampleRateHz);

// A reconstruction: nothing public says what happens to a clip shorter than ten seconds.
enum class ShortClip { Repeat, PadWithSilence };

// Exactly `frames`: a longer sound is cut, a shorter one repeated from its beginning or followed by silence.
Waveform fit_length(Waveform sound, int64_t frames = kClipSamples, ShortClip short_clip = ShortClip::Repeat);

// All of it: stereo, 32 kHz, ten seconds (320,000 frames). ShapeError: no samples.
Waveform to_clip(const Waveform& sound, ShortClip short_clip = ShortClip::Repeat);

// The beginning of a file as a clip. nullopt: the file has no sound. DataError: see decode_sound.
std::optional<Waveform> load_clip(const std::filesystem::path& path, ShortClip short_clip = ShortClip::Repeat);

}  // namespace avs
