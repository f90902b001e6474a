// The features and frames of sound and video files.
#include <algorithm>

#include "audio/features.h"
#include "tensor/ops/concat.h"
#include "tests/parity/check/kinds.h"
#include "vision/frames.h"

namespace avs::parity {
namespace {

Waveform waveform_of(const Tensor& x, int64_t rate_hz) {
  return {.sample_rate_hz = rate_hz, .channels = x.shape()[1], .samples = x.to_vector()};
}

std::filesystem::path file_of(const Case& c, const char* key) {
  return std::filesystem::path(c.spec.at("folder").get<std::string>()) / c.spec.at(key).get<std::string>();
}

Waveform clip_of(const Case& c) {
  if (!c.spec.contains("recording")) return waveform_of(c.input("x"), kSampleRateHz);
  std::optional<Waveform> clip = load_clip(file_of(c, "recording"));
  AVS_CHECK(DataError, clip, file_of(c, "recording").string(), ": no sound");
  return std::move(*clip);
}

}  // namespace

NamedTensors run_spectrogram(const Case& c) {
  const Waveform clip = clip_of(c);
  const SpectrogramKind kind = spectrogram_kind_of(c.spec.at("spectrogram").get<std::string>());
  FeatureExtractor extract(c.spec.value("range", "") == "author" ? CqtRange::Author : CqtRange::FullBand);
  const Tensor power = extract(clip, kind, Stage::Power), deltas = extract(clip, kind, Stage::Delta);
  return {{"power", power}, {"deltas", ops::slice_channels(deltas, 2, 4)}};
}

NamedTensors run_resample(const Case& c) {
  const Tensor& x = c.input("x");
  const Waveform y = resample(waveform_of(x, c.spec.at("rate").get<int64_t>()));
  return {{"y", Tensor::from({y.frames(), y.channels}, std::span<const float>(y.samples))}};
}

NamedTensors run_frames(const Case& c) {
  const FrameOptions options{.frames_per_second = c.spec.at("frames_per_second").get<double>(),
                             .max_seconds = c.spec.at("max_seconds").get<double>(),
                             .image_size = c.spec.at("image_size").get<int64_t>()};
  const std::optional<Frames> frames = sample_frames(file_of(c, "video"), options);
  AVS_CHECK(DataError, frames, file_of(c, "video").string(), ": no picture");
  const std::vector<float> seconds(frames->seconds.begin(), frames->seconds.end());
  const int64_t count = frames->pixels.shape()[0],
                late = c.spec.value("late_by", int64_t{0});  // a planted mistake: not in files
  Tensor pixels = Tensor::empty(frames->pixels.shape(), DType::U8);
  for (int64_t k = 0; k < count; ++k)
    pixels.rows(k, 1).copy_from(frames->pixels.rows(std::max<int64_t>(k - late, 0), 1));
  return {{"seconds", Tensor::from({static_cast<int64_t>(seconds.size())}, std::span<const float>(seconds))},
          {"pixels", pixels}};
}

}  // namespace avs::parity
