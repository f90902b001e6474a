#include "audio/features.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "audio/delta.h"
#include "audio/device_spectrograms.h"
#include "audio/gammatone.h"
#include "audio/mel.h"
#include "audio/stft.h"
#include "tensor/parallel.h"

namespace avs {
namespace {

using audio::AlignedVector;

// Frames per block: 24 spectra of both kinds and the filters fit into the L2 cache.
constexpr int64_t kFrameBlock = 12;
constexpr int64_t kColumns = 2 * kFrameBlock;
static_assert(kColumns % audio::FilterBank::kColumnTile == 0);

constexpr std::array<std::string_view, 3> kKindNames = {"mel", "gam", "cqt"};

// log(x + 1e-8) for x >= 0, within two units in the last place: x = 2^e m, log m = 2 atanh((m - 1) / (m + 1)).
AVS_SIMD void take_log(float* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const int32_t bits = std::bit_cast<int32_t>(x[i] + kLogOffset);
    const int32_t exponent = (bits - 0x3f3504f3) >> 23;  // so that m is in [sqrt(1/2), sqrt(2))
    const float m = std::bit_cast<float>(bits - exponent * (1 << 23));
    const float s = (m - 1) / (m + 1), z = s * s;
    const float series = 2.0f / 3 + z * (2.0f / 5 + z * (2.0f / 7 + z * (2.0f / 9)));
    x[i] = static_cast<float>(exponent) * 0.693147181f + (2 * s + s * z * series);
  }
}

}  // namespace

SpectrogramKind spectrogram_kind_of(std::string_view name) {
  for (size_t i = 0; i < kKindNames.size(); ++i)
    if (kKindNames[i] == name) return static_cast<SpectrogramKind>(i);
  throw UsageError(str("no spectrogram is called '", name, "': expected mel, gam or cqt"));
}

std::string_view name_of(SpectrogramKind kind) { return kKindNames[static_cast<size_t>(kind)]; }

int64_t channels_of(Stage stage) { return stage == Stage::Delta ? 6 : 2; }

struct FeatureExtractor::Parts {
  Parts(CqtRange range, Device device)
      : cqt_spec(range == CqtRange::FullBand ? audio::CqtSpec::full_band() : audio::CqtSpec::author()) {
    if (device.is_cuda()) on_device.emplace(device, cqt_spec);
  }

  void mel_and_gam(std::span<const audio::StereoSample> signal, float* mel_out, float* gam_out);

  audio::CqtSpec cqt_spec;
  std::optional<audio::DeviceSpectrograms> on_device;
  std::optional<audio::Cqt> cqt;  // created on first use: its filters take longest to prepare
  audio::StereoStft stft{audio::StftSpec{}};
  audio::FilterBank mel = audio::mel_filter_bank();
  audio::FilterBank gam = audio::gammatone_filter_bank();
  // Left and right of each of kFrameBlock frames, zero after the last bin.
  AlignedVector<float> powers = AlignedVector<float>(static_cast<size_t>(kColumns * mel.column_stride()));
  AlignedVector<float> magnitudes = AlignedVector<float>(static_cast<size_t>(kColumns * gam.column_stride()));
};

// Either output may be null.
void FeatureExtractor::Parts::mel_and_gam(std::span<const audio::StereoSample> signal, float* mel_out, float* gam_out) {
  const int64_t stride = mel.column_stride();
  std::array<float, kColumns * kBands> bands;
  for (int64_t start = 0; start < kSpectrogramFrames; start += kFrameBlock) {
    const int64_t frames = std::min(kFrameBlock, kSpectrogramFrames - start);
    for (int64_t i = 0; i < frames; ++i)
      audio::power_of_both(stft.transform(signal, kFirstFrame + start + i), stft.spec().fft_size,
                           {.power_left = powers.data() + 2 * i * stride,
                            .power_right = powers.data() + (2 * i + 1) * stride,
                            .magnitude_left = magnitudes.data() + 2 * i * stride,
                            .magnitude_right = magnitudes.data() + (2 * i + 1) * stride});
    const auto write = [&](const audio::FilterBank& bank, const float* spectra, float* out) {
      if (out == nullptr) return;
      bank.apply(spectra, kColumns, bands.data());
      for (int64_t band = 0; band < kBands; ++band)
        for (int64_t column = 0; column < 2 * frames; ++column)
          out[(band * kSpectrogramFrames + start) * 2 + column] = bands[static_cast<size_t>(column * kBands + band)];
    };
    write(mel, powers.data(), mel_out);
    write(gam, magnitudes.data(), gam_out);
  }
}

FeatureExtractor::FeatureExtractor(CqtRange cqt_range, Device device)
    : parts_(std::make_unique<Parts>(cqt_range, device)) {}
FeatureExtractor::~FeatureExtractor() = default;
FeatureExtractor::FeatureExtractor(FeatureExtractor&&) noexcept = default;

std::vector<Tensor> FeatureExtractor::operator()(const Waveform& clip, std::span<const SpectrogramKind> kinds,
                                                 Stage stage) {
  AVS_CHECK(ShapeError, clip.channels == 2 && clip.sample_rate_hz == kSampleRateHz && clip.frames() == kClipSamples,
            "features: expected 2 channels, ", kSampleRateHz, " Hz, ", kClipSamples, " frames; got ", clip.channels,
            " channels, ", clip.sample_rate_hz, " Hz, ", clip.frames(), " frames (to_clip makes them fit)");
  const std::span<const audio::StereoSample> signal(reinterpret_cast<const audio::StereoSample*>(clip.samples.data()),
                                                    static_cast<size_t>(clip.frames()));
  if (parts_->on_device) {
    std::vector<Tensor> spectrograms = (*parts_->on_device)(signal, kFirstFrame, kSpectrogramFrames, kinds, stage);
    for (Tensor& x : spectrograms) x = x.to(kCpu);
    return spectrograms;
  }
  std::vector<Tensor> features;
  std::array<float*, 3> outputs = {};  // indexed by kind
  for (const SpectrogramKind kind : kinds) {
    features.push_back(Tensor::empty({kBands, kSpectrogramFrames, 2}));
    outputs[static_cast<size_t>(kind)] = features.back().data<float>();
  }
  float* const mel = outputs[static_cast<size_t>(SpectrogramKind::Mel)];
  float* const gam = outputs[static_cast<size_t>(SpectrogramKind::Gam)];
  float* const cqt = outputs[static_cast<size_t>(SpectrogramKind::Cqt)];
  if (mel != nullptr || gam != nullptr) parts_->mel_and_gam(signal, mel, gam);
  if (cqt != nullptr) {
    if (!parts_->cqt) parts_->cqt.emplace(parts_->cqt_spec);
    parts_->cqt->magnitudes(signal, kFirstFrame, kSpectrogramFrames, cqt);
  }
  for (Tensor& x : features) {
    if (stage != Stage::Power) take_log(x.data<float>(), x.size());
    if (stage == Stage::Delta) x = audio::stack_deltas(x);
  }
  return features;
}

Tensor FeatureExtractor::operator()(const Waveform& clip, SpectrogramKind kind, Stage stage) {
  return (*this)(clip, std::span(&kind, 1), stage).front();
}

}  // namespace avs
