// Complex fast Fourier transforms by libavutil's av_tx, which selects vector instructions at run time.
//
// Neither direction is scaled:  X[k] = sum_n x[n] exp(-+ 2 pi i k n / N).  A stereo signal is one complex signal: left
// is the real part, right the imaginary part. Interleaved stereo samples therefore need no conversion.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace avs::audio {

template <typename Real>
struct Complex {
  Real re = 0, im = 0;
};
using StereoSample = Complex<float>;  // left, right

// 64-byte aligned memory, for av_tx and vector loads.
template <typename T>
struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};
  AlignedAllocator() = default;
  template <typename U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kAlignment)); }
  void deallocate(T* data, size_t) { ::operator delete(data, kAlignment); }
  bool operator==(const AlignedAllocator&) const { return true; }
};
template <typename T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

enum class FftDirection { Forward, Inverse };

template <typename Real>  // float or double
class Fft {
 public:
  Fft(int64_t size, FftDirection direction);  // size: a power of two from 2 to 131072
  ~Fft();
  Fft(Fft&& other) noexcept;
  Fft& operator=(Fft&&) = delete;

  int64_t size() const { return size_; }
  // in, out: `size` numbers each, 64-byte aligned, not overlapping; `in` may be overwritten. Not thread-safe.
  void operator()(Complex<Real>* in, Complex<Real>* out) const;

 private:
  int64_t size_;
  void* plan_ = nullptr;
  void (*run_)(void*, void*, void*, ptrdiff_t) = nullptr;
};

// Eight floats: one vector register, or two where registers are shorter.
typedef float Vec8 __attribute__((vector_size(32), may_alias));

}  // namespace avs::audio
