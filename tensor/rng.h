// Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//
// A number is a pure function of (key, counter), so element i of a dropout mask is the same on every thread and device,
// and a generator's whole state is two integers, which a checkpoint holds. Kernels call the constexpr functions.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace avs {

__extension__ typedef unsigned __int128 Wide;  // not ISO C++, but in every 64-bit compiler we build with

constexpr std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_high, uint64_t counter_low) {
  std::array<uint32_t, 4> c = {static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
                               static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)};
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// [0, 1): 24 bits, so that the largest value rounds below 1 in f32.
constexpr float to_unit_float(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

class Rng {
 public:
  explicit Rng(uint64_t seed = 0, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  // An independent generator for one purpose: fork("dropout"), fork("epoch", 7). This generator does not advance.
  Rng fork(std::string_view purpose, uint64_t index = 0) const {
    uint64_t h = 0xcbf29ce484222325u ^ stream_;  // FNV-1a
    for (const char ch : purpose) h = (h ^ static_cast<uint8_t>(ch)) * 0x100000001b3u;
    const auto mixed = philox(seed_, h, index);
    return Rng(seed_, uint64_t{mixed[0]} << 32 | mixed[1]);
  }

  uint64_t next() {
    const std::array<uint32_t, 4> r = philox(seed_, stream_, position_++);
    return uint64_t{r[0]} << 32 | r[1];
  }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  int64_t below(int64_t n) {  // 0 .. n-1; the bias of the product is below n / 2^64
    return static_cast<int64_t>((static_cast<Wide>(next()) * static_cast<uint64_t>(n)) >> 64);
  }
  double normal() {  // Box and Muller; one value per call, so that the state stays a plain counter
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }
  double gamma(double shape);       // Marsaglia and Tsang 2000
  double beta(double a, double b);  // gamma(a) / (gamma(a) + gamma(b))
  template <typename Container>
  void shuffle(Container& items) {  // Fisher and Yates
    for (int64_t i = static_cast<int64_t>(items.size()) - 1; i > 0; --i) {
      using std::swap;
      swap(items[static_cast<size_t>(i)], items[static_cast<size_t>(below(i + 1))]);
    }
  }

  uint64_t seed() const { return seed_; }
  uint64_t stream() const { return stream_; }

 private:
  uint64_t seed_, stream_;
  uint64_t position_ = 0;
};

}  // namespace avs
