#include "audio/fft.h"

#include <type_traits>
#include <utility>

#include "tensor/error.h"

extern "C" {
#include <libavutil/tx.h>
}

namespace avs::audio {

template <typename Real>
Fft<Real>::Fft(int64_t size, FftDirection direction) : size_(size) {
  AVS_CHECK(ShapeError, size >= 2 && size <= 131072 && (size & (size - 1)) == 0, "fft: size ", size,
            " is not a power of two from 2 to 131072");
  AVTXContext* plan = nullptr;
  av_tx_fn run = nullptr;
  const AVTXType type = std::is_same_v<Real, float> ? AV_TX_FLOAT_FFT : AV_TX_DOUBLE_FFT;
  const int code =
      av_tx_init(&plan, &run, type, direction == FftDirection::Inverse ? 1 : 0, static_cast<int>(size), nullptr, 0);
  if (code < 0) throw Error(str("fft: libavutil has no plan for size ", size));
  plan_ = plan;
  run_ = reinterpret_cast<void (*)(void*, void*, void*, ptrdiff_t)>(run);
}

template <typename Real>
Fft<Real>::~Fft() {
  AVTXContext* plan = static_cast<AVTXContext*>(plan_);
  av_tx_uninit(&plan);
}

template <typename Real>
Fft<Real>::Fft(Fft&& other) noexcept
    : size_(other.size_), plan_(std::exchange(other.plan_, nullptr)), run_(other.run_) {}

template <typename Real>
void Fft<Real>::operator()(Complex<Real>* in, Complex<Real>* out) const {
  const auto run = reinterpret_cast<av_tx_fn>(run_);
  run(static_cast<AVTXContext*>(plan_), out, in, sizeof(Complex<Real>));
}

template class Fft<float>;
template class Fft<double>;

}  // namespace avs::audio
