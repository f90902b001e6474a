// The spectrograms that the sound networks see: from ten seconds of stereo sound to [128 bands, 704 frames, channels].
//
//   waveform ─ STFT ┬─ |X|^2 ─ mel bands ──────┐
//                   └─ |X| ─── gammatone bands ┼─ log(x + 1e-8) ─ [x, delta, delta-delta]
//            └─ constant-Q transform ──────────┘
//     stage:                              Power          Log                 Delta
//
// A centred transform with hop 448 has 715 frames; the first 5 and last 6 lean on padding and are dropped, which leaves
// the 704 = 11 * 64 of the paper (that choice is a reconstruction). Deltas are taken after dropping, along time.
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
  Delta,  // static, delta, delta-delta: what the networks take
};
enum class CqtRange : uint8_t { FullBand, Author };  // see CqtSpec

SpectrogramKind spectrogram_kind_of(std::string_view name);  // "mel", "gam", "cqt"; UsageError otherwise
std::string_view name_of(SpectrogramKind kind);

inline constexpr int64_t kBands = 128;
inline constexpr int64_t kHop = 448;       // 14 ms
inline constexpr int64_t kFirstFrame = 5;  // of 715
inline constexpr int64_t kSpectrogramFrames = 704;
inline constexpr float kLogOffset = 1e-8f;

int64_t channels_of(Stage stage);  // 2: left, right. Delta: 6: left, right, then their deltas, then delta-deltas

// Holds filters, transforms and scratch memory: make one per thread and use it for many clips. On a GPU (see
// device_spectrograms.h) the same numbers are computed there, to f32's accuracy, and brought back.
class FeatureExtractor {
 public:
  explicit FeatureExtractor(CqtRange cqt_range = CqtRange::FullBand, Device device = kCpu);
  ~FeatureExtractor();
  FeatureExtractor(FeatureExtractor&&) noexcept;

  // clip: two channels, 32 kHz, 320,000 frames (to_clip makes that); ShapeError otherwise.
  // Result, on the CPU: f32 [128, 704, channels_of(stage)], one per kind, in their order. MEL and GAM share one pass.
  std::vector<Tensor> operator()(const Waveform& clip, std::span<const SpectrogramKind> kinds, Stage stage);
  Tensor operator()(const Waveform& clip, SpectrogramKind kind, Stage stage);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace avs
