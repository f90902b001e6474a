// Input spectrograms of the sound networks: from ten seconds of stereo sound to [128 bands, 704 frames, channels].
//
//   waveform ┬ STFT ┬─ |X|^2 ─ mel bands ──────┐
//                   └─ |X| ─── gammatone bands ┼─ log(x + 1e-8) ─ [x, delta, delta-delta]
//            └─ constant-Q transform ──────────┘
//     stage:                              Power          Log                 Delta
//
// A centred transform with hop 448 has 715 frames. The first 5 and last 6 depend on padding and are dropped, which
// leaves the paper's 704 = 11 * 64 (this choice is a reconstruction). Deltas are computed along time, after dropping.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "audio/cqt.h"
#include "audio/resample.h"
#include "tensor/tensor.h"

namespace avs {

enum class SpectrogramKind : uint8_t { Mel, Gam, Cqt };
enum class Stage : uint8_t {
  Power,  // before the log: mel power, gammatone magnitude, constant-Q magnitude
  Log,    // log(x + 1e-8); for GAM and CQT the log is a reconstruction
  Delta,  // x, delta, delta-delta: the networks' input
};
enum class CqtRange : uint8_t { FullBand, Author };  // see CqtSpec

SpectrogramKind spectrogram_kind_of(std::string_view name);  // "mel", "gam", "cqt"; UsageError otherwise
std::string_view name_of(SpectrogramKind kind);

inline constexpr int64_t kBands = 128;
inline constexpr int64_t kFirstFrame = 5;  // the first of 715 frames that is kept
inline constexpr int64_t kSpectrogramFrames = 704;
inline constexpr float kLogOffset = 1e-8f;

int64_t channels_of(Stage stage);  // 2 (left, right); Delta: 6 (left, right, their deltas, their delta-deltas)

// Owns filters, transforms and scratch memory: create one per thread and use it for many clips. With a GPU device, the
// spectrograms are computed there (see device_spectrograms.h) and copied to the CPU; they agree to f32 accuracy.
class FeatureExtractor {
 public:
  explicit FeatureExtractor(CqtRange cqt_range = CqtRange::FullBand, Device device = kCpu);
  ~FeatureExtractor();
  FeatureExtractor(FeatureExtractor&&) noexcept;

  // clip: two channels, 32 kHz, 320,000 frames, as to_clip returns it; ShapeError otherwise. Returns one CPU tensor per
  // kind: f32 [128, 704, channels_of(stage)]. Mel and Gam share one STFT.
  std::vector<Tensor> operator()(const Waveform& clip, std::span<const SpectrogramKind> kinds, Stage stage);
  Tensor operator()(const Waveform& clip, SpectrogramKind kind, Stage stage);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace avs
