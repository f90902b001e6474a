// The audio features on one thread: from a 10-s stereo clip at 32 kHz to spectrograms before the log.
//
// delta: from a [128, 704, 2] log spectrogram to [128, 704, 6]. load_wav48: reads a 24-bit 48-kHz file and resamples
// it.
#include <benchmark/benchmark.h>
#include <sndfile.h>

#include <cmath>
#include <filesystem>
#include <numbers>

#include "audio/delta.h"
#include "audio/features.h"
#include "tensor/rng.h"

namespace avs {
namespace {

// A sweep in noise: never zero, and every band is loud at some time.
Waveform sweep(int64_t sample_rate_hz) {
  Rng rng(7);
  Waveform sound{.sample_rate_hz = sample_rate_hz, .channels = 2, .samples = {}};
  for (int64_t i = 0; i < 10 * sample_rate_hz; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(sample_rate_hz);
    const double turns = 20 / std::numbers::ln2 * std::exp2(0.95 * t);
    for (const double gain : {0.3, 0.2})
      sound.samples.push_back(
          static_cast<float>(gain * std::sin(2 * std::numbers::pi * turns) + 0.05 * rng.uniform(-1, 1)));
  }
  return sound;
}

void run_kinds(benchmark::State& state, const std::vector<SpectrogramKind>& kinds, CqtRange range) {
  const Waveform clip = sweep(kSampleRateHz);
  FeatureExtractor extract(range);
  benchmark::DoNotOptimize(extract(clip, kinds, Stage::Power));  // the first use makes the filters
  for (auto _ : state) benchmark::DoNotOptimize(extract(clip, kinds, Stage::Power));
}

void run_delta(benchmark::State& state) {
  FeatureExtractor extract;
  const Tensor log = extract(sweep(kSampleRateHz), SpectrogramKind::Mel, Stage::Log);
  for (auto _ : state) benchmark::DoNotOptimize(audio::stack_deltas(log));
}

void run_load(benchmark::State& state) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "avs_features_bench.wav";
  const Waveform sound = sweep(48000);
  SF_INFO info = {};
  info.samplerate = 48000;
  info.channels = 2;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_24;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  if (file == nullptr) return state.SkipWithError("no place for a temporary file");
  sf_writef_float(file, sound.samples.data(), sound.frames());
  sf_close(file);
  for (auto _ : state) benchmark::DoNotOptimize(load_clip(path));
  std::filesystem::remove(path);
}

const bool kRegistered = [] {
  using enum SpectrogramKind;
  const auto add = [](const char* name, const std::vector<SpectrogramKind>& kinds, CqtRange range) {
    benchmark::RegisterBenchmark(name, [=](benchmark::State& state) {
      run_kinds(state, kinds, range);
    })->Unit(benchmark::kMillisecond);
  };
  add("mel/10s", {Mel}, CqtRange::FullBand);
  add("gam/10s", {Gam}, CqtRange::FullBand);
  add("mel+gam/10s", {Mel, Gam}, CqtRange::FullBand);
  add("cqt/10s", {Cqt}, CqtRange::FullBand);
  add("cqt24/10s", {Cqt}, CqtRange::Author);
  benchmark::RegisterBenchmark("delta/10s", run_delta)->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("load_wav48/10s", run_load)->Unit(benchmark::kMillisecond);
  return true;
}();

}  // namespace
}  // namespace avs
