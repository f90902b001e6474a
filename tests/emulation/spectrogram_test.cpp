// Spectrograms on the emulated device, with the emulated cuFFT, compared with the CPU: short signals with frames that
// extend past both ends, and one whole clip of the cheapest kind.
#include <algorithm>
#include <complex>
#include <numbers>

#include "audio/delta.h"
#include "audio/device_spectrograms.h"
#include "audio/gammatone.h"
#include "audio/mel.h"
#include "cuda/fft.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/runtime.h"
#include "tests/op_case.h"

namespace avs {
namespace {

using audio::StereoSample;

// Two chords and noise, 0.5 s: every band has energy.
std::vector<StereoSample> sound(size_t samples) {
  const Vector noise = reference::random_vector(static_cast<int64_t>(2 * samples), 7, 0.02);
  std::vector<StereoSample> x(samples);
  for (size_t i = 0; i < samples; ++i) {
    const double t = static_cast<double>(i) / 32000;
    const auto tone = [t](double hz) { return 0.2 * std::sin(2 * std::numbers::pi * hz * t); };
    x[i] = {static_cast<float>(tone(55) + tone(440) + tone(3700) + noise[2 * i]),
            static_cast<float>(tone(82) + tone(1234) + tone(9000) + noise[2 * i + 1])};
  }
  return x;
}

constexpr int64_t kFrames = 13, kFirst = 1;

// Returns [128, frames, 2] of one kind on the CPU, before the log.
Vector on_the_cpu(const std::vector<StereoSample>& signal, SpectrogramKind kind, const audio::CqtSpec& cqt) {
  Vector out(static_cast<size_t>(kBands * kFrames * 2));
  if (kind == SpectrogramKind::Cqt) {
    std::vector<float> values(out.size());
    audio::Cqt(cqt).magnitudes(signal, kFirst, kFrames, values.data());
    return {values.begin(), values.end()};
  }
  const std::vector<float> weights =
      (kind == SpectrogramKind::Mel ? audio::mel_filter_bank() : audio::gammatone_filter_bank()).dense();
  audio::StereoStft stft{audio::StftSpec{}};
  const auto bins = static_cast<size_t>(stft.bins());
  std::vector<float> p[2], m[2];
  for (auto* v : {p, m})
    for (int c = 0; c < 2; ++c) v[c].resize(bins);
  for (int64_t t = 0; t < kFrames; ++t) {
    audio::power_of_both(stft.transform(signal, kFirst + t), stft.spec().fft_size,
                         {p[0].data(), p[1].data(), m[0].data(), m[1].data()});
    for (size_t band = 0; band < kBands; ++band)
      for (size_t c = 0; c < 2; ++c) {
        const std::vector<float>& x = kind == SpectrogramKind::Mel ? p[c] : m[c];
        double& sum = out[(band * kFrames + static_cast<size_t>(t)) * 2 + c];
        for (size_t k = 0; k < bins; ++k) sum += double{weights[band * bins + k]} * x[k];
      }
  }
  return out;
}

TEST(SpectrogramsOnADevice, AgreeWithTheCpu) {
  const auto signal = sound(9001);  // 20 frames; the last ones extend into silence
  const SpectrogramKind kinds[] = {SpectrogramKind::Cqt, SpectrogramKind::Mel, SpectrogramKind::Gam};
  for (const auto& cqt : {audio::CqtSpec::full_band(), audio::CqtSpec::author()}) {
    const audio::DeviceSpectrograms extract(kGpu, cqt);
    const std::vector<Tensor> powers = extract(signal, kFirst, kFrames, kinds, Stage::Power);
    const std::vector<Tensor> deltas = extract(signal, kFirst, kFrames, std::span(kinds, 2), Stage::Delta);
    ASSERT_EQ(powers.size(), 3u);
    ASSERT_EQ(deltas.size(), 2u);
    for (size_t i = 0; i < 3; ++i) {
      SCOPED_TRACE(name_of(kinds[i]));
      EXPECT_EQ(powers[i].device(), kGpu);
      Vector expected = on_the_cpu(signal, kinds[i], cqt);
      EXPECT_LT(relative_error(to_double(powers[i]), expected), 2e-6);
      if (i == 2) continue;
      for (double& x : expected) x = std::log(x + double{kLogOffset});
      const Tensor log = to_tensor(expected, {kBands, kFrames, 2});
      EXPECT_LT(relative_error(to_double(deltas[i]), to_double(audio::stack_deltas(log))), 1e-5);
    }
  }
}

TEST(SpectrogramsOnADevice, AreWhatTheFeatureExtractorReturns) {
  Waveform clip{.sample_rate_hz = static_cast<int>(kSampleRateHz), .channels = 2, .samples = {}};
  for (const StereoSample& s : sound(kClipSamples)) {
    clip.samples.push_back(s.re);
    clip.samples.push_back(s.im);
  }
  const Tensor here = FeatureExtractor()(clip, SpectrogramKind::Mel, Stage::Log);
  const Tensor there = FeatureExtractor(CqtRange::FullBand, kGpu)(clip, SpectrogramKind::Mel, Stage::Log);
  EXPECT_EQ(there.device(), kCpu);
  EXPECT_EQ(there.shape(), here.shape());
  EXPECT_LT(relative_error(to_double(there), to_double(here)), 1e-6);
}

TEST(SpectrogramsOnADevice, StackDeltasLikeTheCpu) {
  for (const Shape& shape : {Shape{3, 11, 2}, Shape{1, 9, 5}, Shape{2, 40, 1}}) {
    const Vector values = reference::random_vector(shape.size(), 3);
    Tensor y = Tensor::empty({shape[0], shape[1], 3 * shape[2]}, DType::F32, kGpu);
    cuda::stack_deltas(to_tensor(values, shape, kGpu), y);
    EXPECT_LT(relative_error(to_double(y), to_double(audio::stack_deltas(to_tensor(values, shape)))), 1e-6) << shape;
  }
}

TEST(SpectrogramsOnADevice, RefuseTooFewFramesForDeltas) {
  const audio::DeviceSpectrograms extract(kGpu, {});
  const SpectrogramKind mel = SpectrogramKind::Mel;
  EXPECT_THAT(error_of<ShapeError>([&] { extract(sound(4000), 0, 8, std::span(&mel, 1), Stage::Delta); }),
              testing::HasSubstr("expected at least 9 frames, got 8"));
}

TEST(CuFft, TransformsEveryRowOfABatch) {
  const Shape shape = {3, 24, 2};
  const Vector values = reference::random_vector(shape.size(), 5);
  Vector expected;
  for (size_t row = 0; row < 3; ++row)
    for (size_t k = 0; k < 24; ++k) {
      std::complex<double> sum;
      for (size_t j = 0; j < 24; ++j)
        sum += std::complex<double>(values[(row * 24 + j) * 2], values[(row * 24 + j) * 2 + 1]) *
               std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(j * k) / 24);
      expected.push_back(sum.real());
      expected.push_back(sum.imag());
    }
  Tensor x = to_tensor(values, shape, kGpu);
  cuda::fft_forward(x);
  EXPECT_LT(relative_error(to_double(x), expected), 1e-6);
}

// Each call fails once: a clear error names it, no plan is kept, and the next transform works.
TEST(CuFft, ErrorsNameTheCallAndLeaveNothingBehind) {
  const Shape shape = {2, 6, 2};
  const Vector values = reference::random_vector(shape.size(), 5);
  const char* const calls[] = {"cufftCreate",      "cufftSetAutoAllocation", "cufftMakePlanMany",
                               "cufftSetWorkArea", "cufftSetStream",         "cufftExecC2C"};
  for (const char* call : calls) {
    emulation::set_fault({.function = call, .after = 0, .error = 5, .sticky = false});  // CUFFT_INTERNAL_ERROR
    Tensor x = to_tensor(values, shape, kGpu);
    EXPECT_THAT(error_of<DeviceError>([&] { cuda::fft_forward(x); }),
                testing::HasSubstr(str("cuFFT: ", call, " for transforms [2, 6, 2]: CUFFT_INTERNAL_ERROR (5)")));
  }
  emulation::set_fault({.function = "cufftMakePlanMany", .after = 0, .error = 2, .sticky = false});
  Tensor x = to_tensor(reference::random_vector(20, 1), {2, 5, 2}, kGpu);
  EXPECT_THAT(error_of<OutOfMemory>([&] { cuda::fft_forward(x); }), testing::HasSubstr("CUFFT_ALLOC_FAILED"));
  cuda::fft_forward(x);
  for (const double v : to_double(x)) EXPECT_TRUE(std::isfinite(v));
}

}  // namespace
}  // namespace avs
