#include "audio/cqt.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace avs::audio {
namespace {

constexpr int64_t kFrameBlock = 16;                  // frames projected together: two vectors of eight
constexpr int64_t kFloatsPerBin = 4 * kFrameBlock;   // re and im, left and right
constexpr double kHannBandwidth = 1.50018310546875;  // equivalent noise bandwidth in bins, from librosa's table

using Spectrum = AlignedVector<Complex<double>>;

// A Hann-windowed tone centred in `size` samples, magnitudes summing to 1; returns its transform times length / size.
// `length` is fractional: phases start at floor(-length / 2).
Spectrum filter_spectrum(double frequency_hz, double rate_hz, double length, int64_t size) {
  const int64_t start = static_cast<int64_t>(std::floor(-length / 2)),
                stop = static_cast<int64_t>(std::floor(length / 2));
  const int64_t n = stop - start;
  Spectrum tone(static_cast<size_t>(size)), spectrum(tone.size());
  double sum = 0;
  const auto window = [n](int64_t j) {
    return 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(n));
  };
  for (int64_t j = 0; j < n; ++j) sum += window(j);
  for (int64_t j = 0; j < n; ++j) {
    const double phase = 2 * std::numbers::pi * frequency_hz / rate_hz * static_cast<double>(start + j);
    const double amplitude = window(j) / sum * length / static_cast<double>(size);
    tone[static_cast<size_t>((size - n) / 2 + j)] = {amplitude * std::cos(phase), amplitude * std::sin(phase)};
  }
  Fft<double>(size, FftDirection::Forward)(tone.data(), spectrum.data());
  spectrum.resize(static_cast<size_t>(size / 2 + 1));
  return spectrum;
}

// Zeroes the smallest magnitudes, which together are less than `share` of the sum.
void drop_smallest(Spectrum& filter, double share) {
  std::vector<double> magnitudes;
  for (const Complex<double>& w : filter) magnitudes.push_back(std::hypot(w.re, w.im));
  std::sort(magnitudes.begin(), magnitudes.end());
  double total = 0, dropped = 0;
  for (const double m : magnitudes) total += m;
  size_t kept = 0;
  while (kept < magnitudes.size() && (dropped += magnitudes[kept]) < share * total) ++kept;
  const double threshold = magnitudes[std::min(kept, magnitudes.size() - 1)];
  for (Complex<double>& w : filter)
    if (std::hypot(w.re, w.im) < threshold) w = {};
}

int64_t factors_of_two(int64_t n) { return n % 2 == 0 ? 1 + factors_of_two(n / 2) : 0; }

// librosa's early downsampling halves the rate while two octaves stay free above the highest band and the hop keeps
// enough factors of two for the remaining octaves.
int64_t early_halvings(const CqtSpec& spec, double highest_edge_hz, int64_t octaves) {
  const double free_octaves = std::log2(spec.sample_rate_hz / 2 / highest_edge_hz);
  const int64_t by_band = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(free_octaves) - 1) - 1);
  return std::min(by_band, std::max<int64_t>(0, factors_of_two(spec.hop) - octaves + 1));
}

// Writes column `lane` of `out`: twice the spectra of both channels, from the transform of left + i right.
void scatter(const Complex<float>* x, int64_t size, int64_t first_bin, int64_t bins, int64_t lane, float* out) {
  for (int64_t k = 0; k < bins; ++k) {
    const Complex<float> a = x[first_bin + k], b = x[size - first_bin - k];
    float* o = out + k * kFloatsPerBin + lane;
    o[0] = a.re + b.re;
    o[kFrameBlock] = a.im - b.im;
    o[2 * kFrameBlock] = a.im + b.im;
    o[3 * kFrameBlock] = b.re - a.re;
  }
}

// Computes |sum_k w[k] L[k]| / 2, and the same for R, for sixteen frames. spectra: [n, kFloatsPerBin].
AVS_SIMD void project_block(const Complex<float>* w, int64_t n, const float* spectra, float* left, float* right) {
  for (int64_t half = 0; half < kFrameBlock; half += 8) {
    Vec8 left_re = {}, left_im = {}, right_re = {}, right_im = {};
    for (int64_t k = 0; k < n; ++k) {
      const float* x = spectra + k * kFloatsPerBin + half;
      const Vec8 xl_re = *reinterpret_cast<const Vec8*>(x), xl_im = *reinterpret_cast<const Vec8*>(x + kFrameBlock);
      const Vec8 xr_re = *reinterpret_cast<const Vec8*>(x + 2 * kFrameBlock);
      const Vec8 xr_im = *reinterpret_cast<const Vec8*>(x + 3 * kFrameBlock);
      left_re += w[k].re * xl_re - w[k].im * xl_im;
      left_im += w[k].re * xl_im + w[k].im * xl_re;
      right_re += w[k].re * xr_re - w[k].im * xr_im;
      right_im += w[k].re * xr_im + w[k].im * xr_re;
    }
    *reinterpret_cast<Vec8*>(left + half) = left_re * left_re + left_im * left_im;
    *reinterpret_cast<Vec8*>(right + half) = right_re * right_re + right_im * right_im;
  }
  for (int64_t i = 0; i < kFrameBlock; ++i) {
    left[i] = 0.5f * ::sqrtf(left[i]);
    right[i] = 0.5f * ::sqrtf(right[i]);
  }
}

}  // namespace

Cqt::Cqt(CqtSpec spec)
    : spec_(spec), halver_(std::numbers::sqrt2) {  // librosa preserves energy, not amplitude, when it halves the rate
  std::vector<double> frequencies_hz;
  for (int64_t i = 0; i < spec.bands; ++i)
    frequencies_hz.push_back(spec.lowest_hz *
                             std::exp2(static_cast<double>(i) / static_cast<double>(spec.bands_per_octave)));
  const double step = std::exp2(2.0 / static_cast<double>(spec.bands_per_octave));
  const double relative_bandwidth = (step - 1) / (step + 1);  // 1 / Q
  const double highest_edge_hz = frequencies_hz.back() * (1 + 0.5 * kHannBandwidth * relative_bandwidth);
  AVS_CHECK(UsageError, highest_edge_hz <= spec.sample_rate_hz / 2, "cqt: ", spec.bands, " bands from ", spec.lowest_hz,
            " Hz at ", spec.bands_per_octave, " an octave reach ", highest_edge_hz,
            " Hz, above half the sample rate of ", spec.sample_rate_hz, " Hz");

  const int64_t octaves = (spec.bands + spec.bands_per_octave - 1) / spec.bands_per_octave;
  int64_t halvings = early_halvings(spec, highest_edge_hz, octaves);
  reference_rate_hz_ = spec.sample_rate_hz / std::exp2(halvings);
  for (int64_t octave = 0; octave < octaves; ++octave) {  // highest octave first
    const int64_t last = spec.bands - octave * spec.bands_per_octave;
    const int64_t first = std::max<int64_t>(0, last - spec.bands_per_octave);
    add_octave(std::span(frequencies_hz).subspan(static_cast<size_t>(first), static_cast<size_t>(last - first)), first,
               halvings, relative_bandwidth);
    if ((spec.hop >> halvings) % 2 == 0) ++halvings;
  }
}

void Cqt::add_octave(std::span<const double> frequencies_hz, int64_t first_band, int64_t halvings,
                     double relative_bandwidth) {
  const double rate_hz = spec_.sample_rate_hz / std::exp2(halvings);
  int64_t size = 1;
  while (static_cast<double>(size) < rate_hz / relative_bandwidth / frequencies_hz.front()) size *= 2;
  std::vector<Spectrum> spectra;
  for (const double hz : frequencies_hz) {
    spectra.push_back(filter_spectrum(hz, rate_hz, rate_hz / relative_bandwidth / hz, size));
    drop_smallest(spectra.back(), spec_.sparsity);
    // librosa's scaling: by the octave's rate, and by the square root of the filter's length at the reference rate.
    const double length = reference_rate_hz_ / relative_bandwidth / hz;
    for (Complex<double>& w : spectra.back()) {
      const double scale = std::sqrt(reference_rate_hz_ / rate_hz / length);
      w = {w.re * scale, w.im * scale};
    }
  }

  auto level = std::find_if(levels_.begin(), levels_.end(),
                            [&](const Level& l) { return l.halvings == halvings && l.stft.spec().fft_size == size; });
  if (level == levels_.end()) {
    const StftSpec stft = {size, size, spec_.hop >> halvings, Window::Rectangular};
    levels_.push_back(Level{.halvings = halvings, .stft = StereoStft(stft), .filters = {}});
    level = std::prev(levels_.end());
  }
  int64_t first_bin = level->filters.empty() ? size : level->first_bin;
  int64_t last_bin = level->filters.empty() ? 0 : level->first_bin + level->bins;
  for (size_t i = 0; i < spectra.size(); ++i) {
    const auto nonzero = [](const Complex<double>& w) { return w.re != 0 || w.im != 0; };
    const auto end = spectra[i].begin() + std::min<int64_t>(size / 2 + 1, std::ssize(spectra[i]));
    const auto from = std::find_if(spectra[i].begin() + 1, end, nonzero);  // skip 0 Hz
    auto to = end;
    while (to != from && !nonzero(*std::prev(to))) --to;
    Filter filter = {first_band + static_cast<int64_t>(i), from - spectra[i].begin(), {}};
    for (auto w = from; w != to; ++w) filter.weights.push_back({static_cast<float>(w->re), static_cast<float>(w->im)});
    first_bin = std::min(first_bin, filter.first_bin);
    last_bin = std::max(last_bin, filter.first_bin + std::ssize(filter.weights));
    level->filters.push_back(std::move(filter));
  }
  level->first_bin = first_bin;
  level->bins = last_bin - first_bin;
}

std::vector<Cqt::LevelView> Cqt::levels() const {
  std::vector<LevelView> views;
  for (const Level& level : levels_) views.push_back({level.halvings, level.stft.spec(), level.filters});
  return views;
}

void Cqt::magnitudes(std::span<const StereoSample> signal, int64_t first_frame, int64_t frames, float* out) {
  halved_.resize(static_cast<size_t>(levels_.back().halvings));
  int64_t done = 0;
  for (Level& level : levels_) {
    for (; done < level.halvings; ++done)
      halver_(done == 0 ? signal : std::span<const StereoSample>(halved_[static_cast<size_t>(done - 1)]),
              halved_[static_cast<size_t>(done)]);
    const auto at_rate =
        level.halvings == 0 ? signal : std::span<const StereoSample>(halved_[static_cast<size_t>(level.halvings - 1)]);
    project(level, at_rate, first_frame, frames, out);
  }
}

void Cqt::project(Level& level, std::span<const StereoSample> signal, int64_t first_frame, int64_t frames, float* out) {
  const int64_t size = level.stft.spec().fft_size;
  spectra_.resize(static_cast<size_t>(level.bins * kFloatsPerBin));
  AlignedVector<float> left(kFrameBlock), right(kFrameBlock);
  for (int64_t start = 0; start < frames; start += kFrameBlock) {
    const int64_t count = std::min(kFrameBlock, frames - start);
    for (int64_t lane = 0; lane < count; ++lane)
      scatter(level.stft.transform(signal, first_frame + start + lane), size, level.first_bin, level.bins, lane,
              spectra_.data());
    for (const Filter& filter : level.filters) {
      project_block(filter.weights.data(), std::ssize(filter.weights),
                    spectra_.data() + (filter.first_bin - level.first_bin) * kFloatsPerBin, left.data(), right.data());
      float* row = out + (filter.band * frames + start) * 2;
      for (int64_t lane = 0; lane < count; ++lane) {
        row[2 * lane] = left[static_cast<size_t>(lane)];
        row[2 * lane + 1] = right[static_cast<size_t>(lane)];
      }
    }
  }
}

}  // namespace avs::audio
