// Reads sound from files. libsndfile reads uncompressed sound (WAV up to 64 bits per sample, AIFF, AU, CAF); FFmpeg
// reads everything else. Callers see no difference.
//
// Time: second 0 of a waveform is second 0 of the file's presentation; pictures use the same origin. Gaps and a late
// start longer than kToleranceSeconds become silence. Shorter gaps, and timestamps that step back by less than half a
// second, are ignored, because timestamps are rounded. If a clock restarts, time continues (StreamClock). Packets that
// do not decode become silence by the same rule.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vision/container.h"

namespace avs {

struct Waveform {
  int64_t sample_rate_hz = 0;
  int64_t channels = 0;        // 1..8 in the order of WAVE files (L R C LFE BL BR SL SR), see resample.h
  std::vector<float> samples;  // interleaved [frames, channels], full scale is 1
  std::string note = {};       // a message for the user: "its sound is damaged from second 2.8 on (356 packets)"

  int64_t frames() const { return channels == 0 ? 0 : static_cast<int64_t>(samples.size()) / channels; }
  double seconds() const { return static_cast<double>(frames()) / static_cast<double>(sample_rate_hz); }
};

// Reads a file's sound piece by piece, from its beginning, so that a two-hour film need not fit into memory.
class SoundReader {
 public:
  static constexpr double kToleranceSeconds = 0.05;
  static constexpr int64_t kMaxSampleRateHz = 3'000'000;  // the fastest DSD, as FFmpeg decodes it, has 2,822,400

  // nullptr: the file has no sound stream. DataError: the file is unreadable, its sound cannot be decoded, or it claims
  // more than 8 channels or a rate above kMaxSampleRateHz.
  static std::unique_ptr<SoundReader> open(const std::filesystem::path& path);
  virtual ~SoundReader() = default;

  virtual int64_t sample_rate_hz() const = 0;
  virtual int64_t channels() const = 0;
  // The next `seconds` of sound: fewer at the end, then none. DataError: samples that are not finite. Truncated: the
  // file was cut more than a tenth of a second before them. SystemError: an I/O error.
  Waveform read(double seconds);
  const std::filesystem::path& path() const { return path_; }

 protected:
  explicit SoundReader(std::filesystem::path path) : path_(std::move(path)) {}
  // Appends at most `frames` to `samples`, and none at the end.
  virtual void append(int64_t frames, std::vector<float>& samples) = 0;
  // The sound ended before `wanted_seconds`: was the file cut, and is there a note for the user?
  virtual MediaFile::Ending judge_end(double wanted_seconds) = 0;
  virtual std::string damage() const { return {}; }

 private:
  std::filesystem::path path_;
  int64_t frames_read_ = 0;
};

// The first max_seconds of a file's sound. nullopt: it has none. DataError: see SoundReader; also if the sound is
// shorter than one sample of a clip (1/32000 s).
std::optional<Waveform> decode_sound(const std::filesystem::path& path,
                                     double max_seconds = std::numeric_limits<double>::infinity());

}  // namespace avs
