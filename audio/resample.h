// Converts any sound to the input of the spectrograms: 32 kHz, two channels, ten seconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "audio/decode.h"

namespace avs {

inline constexpr int64_t kSampleRateHz = 32000;
inline constexpr int64_t kClipSamples = 320000;
inline constexpr double kClipSeconds = 10;

// Returns two channels. Mono is duplicated; more channels are downmixed by ITU-R BS.775 without rescaling (h = 0.7071):
//   3: L R C              L' = L + h C
//   4: L R BL BR          L' = L + h BL
//   5: L R C BL BR        L' = L + h C + h BL
//   6: L R C LFE BL BR    L' = L + h C + h BL
//   7: L R C LFE BC SL SR         L' = L + h C + BC / 2 + h SL
//   8: L R C LFE BL BR SL SR      L' = L + h C + h BL + h SL
// R' likewise with R, BR, SR. The low-frequency channel is dropped. ShapeError: no channels, or more than eight.
Waveform to_stereo(const Waveform& sound);

// libsoxr's "very high quality" (28 bits); returns ceil(frames * to / from) frames. An equal rate returns the sound
// unchanged. bad_alloc: libsoxr would not get the memory it needs (it does not check).
Waveform resample(const Waveform& sound, int64_t sample_rate_hz = kSampleRateHz);

// A reconstruction: the paper does not say how clips shorter than ten seconds are treated.
enum class ShortClip { Repeat, PadWithSilence };

// Returns exactly `frames`: a longer sound is cut; a shorter one is repeated or padded with silence.
Waveform fit_length(Waveform sound, int64_t frames = kClipSamples, ShortClip short_clip = ShortClip::Repeat);

// to_stereo, resample and fit_length: stereo, 32 kHz, ten seconds (320,000 frames). ShapeError: no samples.
Waveform to_clip(const Waveform& sound, ShortClip short_clip = ShortClip::Repeat);

// The first ten seconds of a file. nullopt: the file has no sound. DataError: see decode_sound.
std::optional<Waveform> load_clip(const std::filesystem::path& path, ShortClip short_clip = ShortClip::Repeat);

}  // namespace avs
