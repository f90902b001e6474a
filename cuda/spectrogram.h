// The device functions that audio/ uses to compute spectrograms. Tensors are f32 and on the device. Complex numbers are
// pairs (re, im), and a stereo sound is one complex signal, left + i right, whose transform holds the spectra of both
// channels: L[k] = (X[k] + conj X[N-k]) / 2,  R[k] = (X[k] - conj X[N-k]) / 2i. audio/ computes the same formulas on
// the CPU.
#pragma once

#include "tensor/tensor.h"

namespace avs::cuda {

struct StftFrames {
  int64_t fft_size, window_size, hop;
  int64_t first, count;  // frames first .. first + count - 1
};
// spectra [count, fft_size, 2]: the transforms of frames centred on sample (first + t) * hop of signal [samples, 2],
// which is 0 outside. The window [window_size] is centred in the transform; undefined means ones.
void stft(const Tensor& signal, const Tensor& window, const StftFrames& frames, Tensor& spectra);

// Filters in the frequency domain, each on a range of bins. Filter f computes output band bands[f][0] from bands[f][2]
// bins, first bin bands[f][1], with the weights from weights[bands[f][3]] on.
struct BandFilters {
  Tensor weights;  // [n], or complex [n, 2]
  Tensor bands;    // i32 [filters, 4]
};
enum class Bin : uint8_t { Power, Magnitude };  // |X|^2 or |X|

// out [bands, frames, 2], for spectra [frames, fft_size, 2]:
//   real weights:     out = sum over bins of weight * |X_channel|(^2)
//   complex weights:  out = |sum over bins of weight * X_channel|
// If log_offset > 0, log(out + log_offset) follows. Bands without a filter are unchanged.
void band_sums(const Tensor& spectra, const BandFilters& filters, Bin bin, float log_offset, Tensor& out);
void band_projections(const Tensor& spectra, const BandFilters& filters, float log_offset, Tensor& out);

// halved[m] = sum over d of taps[d + reach] * signal[2m - d],  d = -reach .. reach, taps [2 reach + 1]; signal and
// halved are [samples, 2].
void halve_rate(const Tensor& signal, const Tensor& taps, Tensor& halved);

// y [bands, frames, 3c] = x [bands, frames, c], its delta and its delta-delta (audio/delta.h); needs at least nine
// frames.
void stack_deltas(const Tensor& x, Tensor& y);

}  // namespace avs::cuda
