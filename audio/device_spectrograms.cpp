#include "audio/device_spectrograms.h"

#include <algorithm>

#include "audio/delta.h"
#include "audio/gammatone.h"
#include "audio/mel.h"

namespace avs::audio {
namespace {

Tensor upload(std::span<const float> values, Device device) {
  return Tensor::from({std::ssize(values)}, values, device);
}

// Collects filters band by band; weights are real (one float each) or complex (two).
class Filters {
 public:
  explicit Filters(int64_t floats_per_weight) : floats_per_weight_(floats_per_weight) {}
  void add(int64_t band, int64_t first_bin, std::span<const float> weights) {
    for (const int64_t n :
         {band, first_bin, std::ssize(weights) / floats_per_weight_, std::ssize(weights_) / floats_per_weight_})
      bands_.push_back(static_cast<int32_t>(n));
    weights_.insert(weights_.end(), weights.begin(), weights.end());
  }
  cuda::BandFilters on(Device device) const {
    return {upload(weights_, device),
            Tensor::from({std::ssize(bands_) / 4, 4}, std::span<const int32_t>(bands_), device)};
  }

 private:
  int64_t floats_per_weight_;
  std::vector<float> weights_;
  std::vector<int32_t> bands_;
};

cuda::BandFilters filters_of(const FilterBank& bank, Device device) {
  const std::vector<float> dense = bank.dense();
  Filters filters(1);
  for (int64_t band = 0; band < bank.bands(); ++band) {
    const std::span row =
        std::span(dense).subspan(static_cast<size_t>(band * bank.bins()), static_cast<size_t>(bank.bins()));
    const auto is_there = [](float w) { return w != 0; };
    const auto first = std::find_if(row.begin(), row.end(), is_there);
    const auto last = std::find_if(row.rbegin(), std::make_reverse_iterator(first), is_there).base();
    filters.add(band, first - row.begin(), std::span(first, last));
  }
  return filters.on(device);
}

cuda::BandFilters filters_of(std::span<const Cqt::Filter> level, Device device) {
  Filters filters(2);
  for (const Cqt::Filter& filter : level)
    filters.add(filter.band, filter.first_bin, std::span(&filter.weights.data()->re, 2 * filter.weights.size()));
  return filters.on(device);
}

Tensor spectra_of(const Tensor& signal, const Tensor& window, const StftSpec& stft, int64_t first_frame,
                  int64_t frames) {
  Tensor spectra = Tensor::empty({frames, stft.fft_size, 2}, DType::F32, signal.device());
  cuda::stft(signal, window, {stft.fft_size, stft.window_size, stft.hop, first_frame, frames}, spectra);
  return spectra;
}

}  // namespace

DeviceSpectrograms::DeviceSpectrograms(Device device, const CqtSpec& cqt)
    : device_(device),
      window_(upload(StereoStft(stft_).window(), device)),
      mel_(filters_of(mel_filter_bank(), device)),
      gam_(filters_of(gammatone_filter_bank(), device)) {
  const Cqt transform(cqt);
  halving_taps_ = upload(transform.halver().taps(), device);
  for (const Cqt::LevelView& level : transform.levels())
    levels_.push_back({level.halvings, level.stft, filters_of(level.filters, device)});
}

std::vector<Tensor> DeviceSpectrograms::operator()(std::span<const StereoSample> signal, int64_t first_frame,
                                                   int64_t frames, std::span<const SpectrogramKind> kinds,
                                                   Stage stage) const {
  AVS_CHECK(ShapeError, stage != Stage::Delta || frames >= kDeltaWidth, "deltas: expected at least ", kDeltaWidth,
            " frames, got ", frames);
  const Tensor sound = Tensor::from({std::ssize(signal), 2}, std::span(&signal.data()->re, 2 * signal.size()), device_);
  const float log_offset = stage == Stage::Power ? 0.0f : kLogOffset;
  Tensor spectra;  // shared by MEL and GAM
  std::vector<Tensor> all;
  for (const SpectrogramKind kind : kinds) {
    Tensor x;
    if (kind == SpectrogramKind::Cqt) {
      x = constant_q(sound, first_frame, frames, log_offset);
    } else {
      const bool mel = kind == SpectrogramKind::Mel;
      if (!spectra.defined()) spectra = spectra_of(sound, window_, stft_, first_frame, frames);
      x = Tensor::empty({kBands, frames, 2}, DType::F32, device_);
      cuda::band_sums(spectra, mel ? mel_ : gam_, mel ? cuda::Bin::Power : cuda::Bin::Magnitude, log_offset, x);
    }
    if (stage == Stage::Delta) {
      Tensor stacked = Tensor::empty({kBands, frames, channels_of(stage)}, DType::F32, device_);
      cuda::stack_deltas(x, stacked);
      x = stacked;
    }
    all.push_back(x);
  }
  return all;
}

Tensor DeviceSpectrograms::constant_q(const Tensor& signal, int64_t first_frame, int64_t frames,
                                      float log_offset) const {
  Tensor out = Tensor::empty({kBands, frames, 2}, DType::F32, device_);
  Tensor at_rate = signal;
  int64_t halvings = 0;
  for (const Level& level : levels_) {
    for (; halvings < level.halvings; ++halvings) {
      Tensor halved = Tensor::empty({(at_rate.shape()[0] + 1) / 2, 2}, DType::F32, device_);
      cuda::halve_rate(at_rate, halving_taps_, halved);
      at_rate = halved;
    }
    cuda::band_projections(spectra_of(at_rate, {}, level.stft, first_frame, frames), level.filters, log_offset, out);
  }
  return out;
}

}  // namespace avs::audio
