#include "audio/resample.h"

#include <soxr.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <new>
#include <numbers>
#include <type_traits>

#include "tensor/error.h"

namespace avs {
namespace {

constexpr float kHalfPower = static_cast<float>(1 / std::numbers::sqrt2);

// One channel's weights in left and right.
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

// Decoded after the ten seconds, so that the resampler's filter sees the following samples.
constexpr double kMarginSeconds = 0.1;

constexpr size_t kSoxrFrames = 1 << 16;  // frames per call of libsoxr: its buffers grow with them

// libsoxr does not check its allocations: try to allocate as much first.
void check_memory() {
  constexpr size_t kBytes = size_t{32} << 20;  // pieces of kSoxrFrames need at most 15 MB for rates from 1 Hz to 3 MHz
  void* volatile trial = std::malloc(kBytes);  // volatile: a compiler may remove an unused allocation
  if (trial == nullptr) throw std::bad_alloc();
  std::free(trial);
}

class Resampler {
 public:
  struct Frames {
    const float* data;
    size_t count;
  };
  struct Room {
    float* data;
    size_t count;
  };

  Resampler(int64_t from_hz, int64_t to_hz, int64_t channels) : from_hz_(from_hz), to_hz_(to_hz) {
    check_memory();
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_VHQ, 0);
    soxr_error_t error = nullptr;
    state_.reset(soxr_create(static_cast<double>(from_hz), static_cast<double>(to_hz), static_cast<unsigned>(channels),
                             &error, nullptr, &quality, nullptr));
    check(error);
  }

  // in.count == 0 ends the sound.
  void operator()(Frames in, size_t& read, Room out, size_t& written) const {
    check(
        soxr_process(state_.get(), in.count == 0 ? nullptr : in.data, in.count, &read, out.data, out.count, &written));
  }

 private:
  void check(soxr_error_t error) const {
    if (error != nullptr) throw Error(str("resample: libsoxr from ", from_hz_, " to ", to_hz_, " Hz: ", error));
  }

  int64_t from_hz_, to_hz_;
  std::unique_ptr<std::remove_pointer_t<soxr_t>, void (*)(soxr_t)> state_{nullptr, soxr_delete};
};

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
  const Resampler resampler(sound.sample_rate_hz, sample_rate_hz, sound.channels);
  const size_t width = static_cast<size_t>(sound.channels), all = static_cast<size_t>(sound.frames());
  size_t taken = 0, given = 0;  // frames
  while (given < static_cast<size_t>(frames)) {
    const size_t piece = std::min(all - taken, kSoxrFrames);
    size_t read = 0, written = 0;
    resampler({sound.samples.data() + taken * width, piece}, read,
              {result.samples.data() + given * width, static_cast<size_t>(frames) - given}, written);
    taken += read;
    given += written;
    if (piece == 0 && written == 0) break;  // sounds of a few samples give fewer frames; the rest stays silent
  }
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
  Waveform clip = to_clip(*sound, short_clip);
  clip.note = sound->note;
  return clip;
}

}  // namespace avs
