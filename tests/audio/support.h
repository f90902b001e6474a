// Shared by the audio tests: synthetic signals, golden numbers, optional recordings, temporary files.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audio/features.h"
#include "tensor/error.h"

namespace avs {

// ---- signals, equal to those of tests/golden/audio/make_golden.py ------------

// Noise, uniform in [-1, 1): a hash of the sample's index.
inline double index_noise(int64_t index, uint32_t seed) {
  uint32_t h = static_cast<uint32_t>(index) + seed * 0x9E3779B9u;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  h ^= h >> 16;
  return static_cast<double>(h) / 2147483648.0 - 1;
}

// Left: a chirp over nine octaves, plus noise. Right: three beating tones, one click per second, noise.
inline Waveform synthetic(int64_t frames, int64_t rate_hz) {
  constexpr double kTurn = 2 * std::numbers::pi;
  Waveform sound{.sample_rate_hz = rate_hz, .channels = 2, .samples = {}};
  const double octaves_a_second = 9.0 / (static_cast<double>(frames) / static_cast<double>(rate_hz));
  for (int64_t i = 0; i < frames; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(rate_hz);
    const double turns = 25.0 / (octaves_a_second * std::numbers::ln2) * (std::exp2(octaves_a_second * t) - 1);
    double right = 0.05 * index_noise(i, 2);
    for (const auto& [hz, beat] : {std::pair{55.0, 0.3}, {440.0, 0.7}, {3520.0, 1.1}})
      right += 0.15 * std::sin(kTurn * hz * t) * (1 + std::sin(kTurn * beat * t)) / 2;
    if (i % rate_hz == 0) right += 0.5;
    sound.samples.push_back(static_cast<float>(0.3 * std::sin(kTurn * turns) + 0.05 * index_noise(i, 1)));
    sound.samples.push_back(static_cast<float>(right));
  }
  return sound;
}

inline Waveform synthetic_clip() { return synthetic(kClipSamples, kSampleRateHz); }

// A tone in every channel; each channel has half the amplitude of the previous one.
inline Waveform tone(double hz, double seconds, int64_t rate_hz, int64_t channels) {
  Waveform sound{.sample_rate_hz = rate_hz, .channels = channels, .samples = {}};
  for (int64_t i = 0; i < std::llround(seconds * static_cast<double>(rate_hz)); ++i)
    for (int64_t c = 0; c < channels; ++c)
      sound.samples.push_back(static_cast<float>(
          std::exp2(-static_cast<double>(c + 1)) *
          std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / static_cast<double>(rate_hz))));
  return sound;
}

// ---- numbers ----------------------------------------------------------------

// |got - expected| / |expected|, 2-norms
inline double relative_norm_error(std::span<const float> got, std::span<const float> expected) {
  EXPECT_EQ(got.size(), expected.size());
  if (got.size() != expected.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / norm);
}

inline std::vector<float> golden(const std::string& name) {
  const std::string path = std::string(AVS_SOURCE_DIR) + "/tests/golden/audio/" + name + ".f32";
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw DataError(path + ": no such golden file");
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

// ---- files ------------------------------------------------------------------

// A file of the test data, which is optional: in $AVS_DATA, or in shared/data beside the checkout.
inline std::optional<std::filesystem::path> test_data(const std::string& name) {
  const char* root = std::getenv("AVS_DATA");
  const std::filesystem::path path =
      (root != nullptr ? std::filesystem::path(root) : std::filesystem::path(AVS_SOURCE_DIR) / "../shared/data") / name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

#define AVS_TEST_DATA(variable, name)                                            \
  const std::optional<std::filesystem::path> variable##_found = test_data(name); \
  if (!variable##_found) GTEST_SKIP() << "no test data " << (name);              \
  const std::filesystem::path& variable = *variable##_found

// A test's own folder, removed afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "avs_audio_XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline void write_sound(const std::filesystem::path& path, const Waveform& sound, int format) {
  SF_INFO info = {};
  info.samplerate = static_cast<int>(sound.sample_rate_hz);
  info.channels = static_cast<int>(sound.channels);
  info.format = format;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  ASSERT_NE(file, nullptr) << sf_strerror(nullptr);
  sf_writef_float(file, sound.samples.data(), sound.frames());
  sf_close(file);
}

// Returns what() of the ErrorType that f throws; fails the test if f does not throw it.
template <typename ErrorType, typename F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const ErrorType& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return {};
}

}  // namespace avs
