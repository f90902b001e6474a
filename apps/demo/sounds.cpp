// The four sounds: each function adds one clip to a mono buffer; a room makes two channels. Levels are set by root mean
// square, so that loudness does not identify a sound.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "apps/demo/scenes.h"

namespace avs::demo {
namespace {

using Samples = std::vector<double>;
constexpr double kTau = 2 * std::numbers::pi;

// A two-pole band-pass; its centre may change with every sample (Chamberlin's state-variable filter).
class BandPass {
 public:
  BandPass(double sample_rate_hz, double quality) : rate_(sample_rate_hz), damping_(1 / quality) {}
  double operator()(double input, double centre_hz) {
    const double f = 2 * std::sin(std::numbers::pi * std::min(centre_hz / rate_, 0.16));
    low_ += f * band_;
    band_ += f * (input - low_ - damping_ * band_);
    return band_ * damping_;
  }

 private:
  double rate_, damping_, low_ = 0, band_ = 0;
};

class OnePole {  // low-pass
 public:
  OnePole(double sample_rate_hz, double cutoff_hz) : step_(1 - std::exp(-kTau * cutoff_hz / sample_rate_hz)) {}
  double operator()(double input) { return state_ += step_ * (input - state_); }

 private:
  double step_, state_ = 0;
};

// Fast noise (xorshift): audio needs too many samples for Philox.
class White {
 public:
  explicit White(Rng& rng) : state_(rng.next() | 1) {}
  double operator()() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(static_cast<int64_t>(state_) >> 11) * 0x1p-52;
  }

 private:
  uint64_t state_;
};

// sum_{k >= 1} gains[k-1] sin(k phase), by the recurrence sin(k p) = 2 cos(p) sin((k-1) p) - sin((k-2) p).
double harmonics(double phase, const std::vector<double>& gains) {
  const double step = 2 * std::cos(phase);
  double before = 0, now = std::sin(phase), sum = 0;
  for (const double gain : gains) {
    sum += gain * now;
    before = std::exchange(now, step * now - before);
  }
  return sum;
}

// Swelling broadband noise with gurgles; the period decides between surf and brook.
void water(Samples& out, double rate, Rng& rng) {
  White white(rng);
  BandPass wide(rate, rng.uniform(0.4, 0.8)), gurgle(rate, rng.uniform(4, 9));
  const double centre = rng.uniform(500, 1600), period = rng.uniform(0.8, 4), depth = rng.uniform(0.3, 0.9);
  const double phase = rng.uniform(0, kTau), gurgles = rng.uniform(0.2, 1.2);
  OnePole wander(rate, rng.uniform(4, 12));
  for (size_t i = 0; i < out.size(); ++i) {
    const double t = static_cast<double>(i) / rate;
    const double swell = 1 - depth * (0.5 + 0.5 * std::sin(kTau * t / period + phase));
    const double drift = wander(white()) * 25;
    out[i] +=
        swell * wide(white(), centre * (0.7 + 0.6 * swell)) + gurgles * gurgle(white(), centre * std::exp2(drift));
  }
}

// A rough harmonic tone with a pulse, over rumble.
void engine(Samples& out, double rate, Rng& rng) {
  White white(rng);
  OnePole rumble(rate, rng.uniform(80, 200)), wobble(rate, 3);
  const double pitch = rng.uniform(38, 110), drift = rng.uniform(-0.25, 0.35), tilt = rng.uniform(0.6, 1.3);
  const double throb = rng.uniform(6, 18), throb_depth = rng.uniform(0.1, 0.6), rumbling = rng.uniform(1, 5);
  std::vector<double> gains;
  for (int harmonic = 1; harmonic <= 14; ++harmonic) gains.push_back(std::pow(harmonic, -tilt));
  double phase = rng.uniform(0, kTau);
  const double seconds = static_cast<double>(out.size()) / rate;
  for (size_t i = 0; i < out.size(); ++i) {
    const double t = static_cast<double>(i) / rate;
    phase += kTau * pitch * std::exp2(drift * t / seconds + 8 * wobble(white())) / rate;
    out[i] += harmonics(phase, gains) * (1 - throb_depth * (0.5 + 0.5 * std::sin(kTau * throb * t))) +
              rumbling * rumble(white());
  }
}

// Chords and a melody of plucked or held tones in a random key and tempo.
void music(Samples& out, double rate, Rng& rng) {
  constexpr int kScale[] = {0, 2, 4, 5, 7, 9, 11};
  const double key = 110 * std::exp2(rng.uniform(0, 1)), beat = rng.uniform(0.18, 0.5);
  const double decay = rng.uniform(1.5, 7), brightness = rng.uniform(0.2, 0.6);
  std::vector<double> gains;
  for (int harmonic = 0; harmonic < 5; ++harmonic) gains.push_back(std::pow(brightness, harmonic));
  const auto note = [&](double start, int64_t degree, double gain) {
    const double hz = key * std::exp2(static_cast<double>(degree / 7) + kScale[degree % 7] / 12.0);
    const auto first = static_cast<size_t>(start * rate);
    const auto last = std::min(out.size(), first + static_cast<size_t>(1.5 * rate));
    for (size_t i = first; i < last; ++i) {
      const double t = static_cast<double>(i - first) / rate;
      out[i] += gain * harmonics(kTau * hz * t, gains) * std::exp(-decay * t) * std::min(1.0, t * 100);
    }
  };
  const double seconds = static_cast<double>(out.size()) / rate;
  int64_t root = rng.below(6);
  for (int64_t step = 0; static_cast<double>(step) * beat < seconds; ++step) {
    const double start = static_cast<double>(step) * beat;
    if (step % 4 == 0) {
      root = rng.below(6);
      for (const int64_t third : {0, 2, 4}) note(start, root + third, 0.7);
    }
    if (rng.uniform() < 0.75) note(start, 7 + root + 2 * rng.below(5), 1);
  }
}

// Several voices; each repeats its own short sweep.
void birds(Samples& out, double rate, Rng& rng) {
  for (int64_t voice = 2 + rng.below(3); voice > 0; --voice) {
    const double centre = rng.uniform(1900, 5500), sweep = rng.uniform(-0.5, 0.5), trill = rng.uniform(12, 40);
    const double trill_depth = rng.uniform(0, 0.12), length = rng.uniform(0.06, 0.2), gain = rng.uniform(0.4, 1);
    double start = rng.uniform(0, 0.5);
    const double seconds = static_cast<double>(out.size()) / rate;
    while (start < seconds) {
      for (int64_t chirp = 1 + rng.below(5); chirp > 0 && start < seconds; --chirp) {
        const auto first = static_cast<size_t>(start * rate);
        const auto last = std::min(out.size(), first + static_cast<size_t>(length * rate));
        double phase = 0;
        for (size_t i = first; i < last; ++i) {
          const double share = static_cast<double>(i - first) / (length * rate);
          phase +=
              kTau * centre * std::exp2(sweep * share + trill_depth * std::sin(kTau * trill * share * length)) / rate;
          const double window = std::sin(std::numbers::pi * share);
          out[i] += gain * window * window * (std::sin(phase) + 0.15 * std::sin(2 * phase));
        }
        start += length * rng.uniform(1.1, 1.6);
      }
      start += rng.uniform(0.15, 0.8);
    }
  }
}

Samples at_unit_level(Samples samples) {
  double sum = 0;
  for (const double s : samples) sum += s * s;
  const double scale = 1 / (std::sqrt(sum / static_cast<double>(samples.size())) + 1e-9);
  for (double& s : samples) s *= scale;
  return samples;
}

Samples render_dry(Sound sound, size_t count, double rate, Rng rng) {
  Samples samples(count);
  switch (sound) {
    case Sound::Water: water(samples, rate, rng); break;
    case Sound::Engine: engine(samples, rate, rng); break;
    case Sound::Music: music(samples, rate, rng); break;
    case Sound::Birds: birds(samples, rate, rng); break;
  }
  return at_unit_level(std::move(samples));
}

// Coloured noise of unit level: the background of any recording.
Samples background(size_t count, double rate, Rng rng) {
  White white(rng);
  OnePole soft(rate, rng.uniform(150, 4000));
  Samples samples(count);
  for (double& s : samples) s = soft(white());
  return at_unit_level(std::move(samples));
}

}  // namespace

std::vector<float> render_sound(Sound sound, int64_t sample_rate_hz, double seconds, Rng rng) {
  const auto rate = static_cast<double>(sample_rate_hz);
  const auto count = static_cast<size_t>(std::max(1.0, std::round(seconds * rate)));
  const Samples dry = render_dry(sound, count, rate, rng.fork("sound"));
  const auto other = static_cast<Sound>((static_cast<int64_t>(sound) + 1 + rng.below(3)) % 4);
  const Samples faint = render_dry(other, count, rate, rng.fork("elsewhere"));
  // Level of the noise relative to the sound, in decibels: one clip in eight is drowned. Most clips have a faint second
  // sound.
  const double noise_db = rng.uniform() < 0.12 ? rng.uniform(-12, -4) : rng.uniform(6, 26);
  const double faint_gain = std::pow(10, -rng.uniform(14, 40) / 20), noise_gain = std::pow(10, -noise_db / 20);
  const double loudness = rng.uniform(0.03, 0.2), left = rng.uniform(0.6, 1), right = rng.uniform(0.6, 1);
  const auto delay = static_cast<size_t>(rng.uniform(0, 0.0006) * rate);  // interaural delay: ears 20 cm apart
  const Samples noise_left = background(count, rate, rng.fork("left")),
                noise_right = background(count, rate, rng.fork("right"));

  const double scale = loudness / std::sqrt(1 + noise_gain * noise_gain);
  std::vector<float> out(2 * count);
  for (size_t i = 0; i < count; ++i) {
    const double mono = dry[i] + faint_gain * faint[i],
                 late = i < delay ? 0 : dry[i - delay] + faint_gain * faint[i - delay];
    out[2 * i] = static_cast<float>(std::clamp(scale * (left * mono + noise_gain * noise_left[i]), -1.0, 1.0));
    out[2 * i + 1] = static_cast<float>(std::clamp(scale * (right * late + noise_gain * noise_right[i]), -1.0, 1.0));
  }
  return out;
}

}  // namespace avs::demo
