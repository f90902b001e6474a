// Spectrograms on CUDA: one kernel cuts and windows frames (16 bytes moved per sample of a frame), cuFFT transforms
// them, and one kernel computes powers, bands and logs of a spectrum in shared memory (8 bytes read per bin of the
// transform). The filters, read from L2, bound the last: 0.6 * 128 * 2049 weights per kFrames frames for gammatones.
#include "cuda/device.cuh"
#include "cuda/fft.h"
#include "cuda/spectrogram.h"

namespace avs::cuda {
namespace {

using Complex = Pack<float, 2>;  // re, im; also left, right

// ---- frames ----

__global__ void frame_kernel(StftFrames f, int64_t samples, const Complex* __restrict__ signal,
                             const float* __restrict__ window, Complex* __restrict__ frames) {
  const int64_t before = (f.fft_size - f.window_size) / 2;
  for (int64_t i = first_item(); i < f.count * f.fft_size; i += item_stride()) {
    const int64_t place = i % f.fft_size, sample = (f.first + i / f.fft_size) * f.hop - f.fft_size / 2 + place;
    const int64_t in_window = place - before;
    Complex x{};
    if (in_window >= 0 && in_window < f.window_size && sample >= 0 && sample < samples) {
      const float weight = window == nullptr ? 1.0f : window[in_window];
      x = signal[sample];
      x.at[0] *= weight;
      x.at[1] *= weight;
    }
    frames[i] = x;
  }
}

// ---- bands ----

constexpr int kFrames = 2;  // frames of a block, in shared memory: each loaded weight is used twice

struct BandWork {
  int64_t frames;
  int fft_size, filters;
  float log_offset;
  __device__ int bins() const { return fft_size / 2 + 1; }
};

// Returns twice the two channels' spectra at bin k of a transform.
__device__ inline void split(const Complex* x, int fft_size, int k, Complex& left, Complex& right) {
  const Complex a = x[k], b = x[k == 0 ? 0 : fft_size - k];
  left = {a.at[0] + b.at[0], a.at[1] - b.at[1]};
  right = {a.at[1] + b.at[1], b.at[0] - a.at[0]};
}
__device__ inline float square(Complex x) { return x.at[0] * x.at[0] + x.at[1] * x.at[1]; }

__device__ inline void write(const BandWork& work, int64_t band, int64_t frame, float left, float right, Complex* out) {
  if (work.log_offset > 0) {
    left = logf(left + work.log_offset);
    right = logf(right + work.log_offset);
  }
  out[band * work.frames + frame] = {left, right};
}

struct Band {
  int index, first_bin, count, first_weight;
};
__device__ inline Band band_at(const int32_t* bands, int filter) {
  const auto b = load_pack<4>(bands + int64_t{filter} * 4);
  return {b.at[0], b.at[1], b.at[2], b.at[3]};
}

// One block computes kFrames frames: its threads compute the powers, then each warp takes one filter after the other.
template <Bin bin>
__global__ void __launch_bounds__(kBlock)
    band_sums_kernel(BandWork work, const Complex* __restrict__ spectra, const float* __restrict__ weights,
                     const int32_t* __restrict__ bands, Complex* __restrict__ out) {
  auto* const powers = dynamic_shared<Complex>();  // [kFrames, bins] of left, right
  note_dynamic_shared<8 * kFrames*(4096 / 2 + 1)>();
  const int bins = work.bins(), lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t first = int64_t{blockIdx.x} * kFrames;
  for (int f = 0; f < kFrames; ++f)
    for (int k = static_cast<int>(threadIdx.x); k < bins; k += kBlock) {
      Complex left{}, right{};
      if (first + f < work.frames) split(spectra + (first + f) * work.fft_size, work.fft_size, k, left, right);
      const Complex power{0.25f * square(left), 0.25f * square(right)};
      powers[f * bins + k] = bin == Bin::Power ? power : Complex{sqrtf(power.at[0]), sqrtf(power.at[1])};
    }
  __syncthreads();
  for (int filter = static_cast<int>(threadIdx.x) / 32; filter < work.filters; filter += kBlock / 32) {
    const Band band = band_at(bands, filter);
    float left[kFrames] = {}, right[kFrames] = {};
    for (int k = lane; k < band.count; k += 32) {
      const float weight = weights[band.first_weight + k];
#pragma unroll
      for (int f = 0; f < kFrames; ++f) {
        const Complex power = powers[f * bins + band.first_bin + k];
        left[f] += weight * power.at[0];
        right[f] += weight * power.at[1];
      }
    }
#pragma unroll
    for (int f = 0; f < kFrames; ++f) {
      const float of_left = warp_sum(left[f]), of_right = warp_sum(right[f]);
      if (lane == f && first + f < work.frames) write(work, band.index, first + f, of_left, of_right, out);
    }
  }
}

// The same with complex weights, which multiply the spectra themselves: twice the memory, hence one frame at a time for
// a long transform.
template <int kTogether>
__global__ void __launch_bounds__(kBlock)
    band_projections_kernel(BandWork work, const Complex* __restrict__ spectra, const Complex* __restrict__ weights,
                            const int32_t* __restrict__ bands, Complex* __restrict__ out) {
  auto* const channel_spectra = dynamic_shared<Complex>();  // [kTogether, 2, bins] of re, im: left, then right
  note_dynamic_shared<8 * 2 * (4096 / 2 + 1)>();            // one frame at 4096, or two at 2048
  const int bins = work.bins(), lane = static_cast<int>(threadIdx.x) % 32;
  const int64_t first = int64_t{blockIdx.x} * kTogether;
  for (int f = 0; f < kTogether; ++f)
    for (int k = static_cast<int>(threadIdx.x); k < bins; k += kBlock) {
      Complex left{}, right{};
      if (first + f < work.frames) split(spectra + (first + f) * work.fft_size, work.fft_size, k, left, right);
      channel_spectra[2 * f * bins + k] = left;
      channel_spectra[(2 * f + 1) * bins + k] = right;
    }
  __syncthreads();
  for (int filter = static_cast<int>(threadIdx.x) / 32; filter < work.filters; filter += kBlock / 32) {
    const Band band = band_at(bands, filter);
    Complex sums[2 * kTogether] = {};
    for (int k = lane; k < band.count; k += 32) {
      const Complex weight = weights[band.first_weight + k];
#pragma unroll
      for (int i = 0; i < 2 * kTogether; ++i) {
        const Complex x = channel_spectra[i * bins + band.first_bin + k];
        sums[i].at[0] += weight.at[0] * x.at[0] - weight.at[1] * x.at[1];
        sums[i].at[1] += weight.at[0] * x.at[1] + weight.at[1] * x.at[0];
      }
    }
#pragma unroll
    for (int i = 0; i < 2 * kTogether; ++i) sums[i] = {warp_sum(sums[i].at[0]), warp_sum(sums[i].at[1])};
#pragma unroll
    for (int f = 0; f < kTogether; ++f)
      if (lane == f && first + f < work.frames)
        write(work, band.index, first + f, 0.5f * sqrtf(square(sums[2 * f])), 0.5f * sqrtf(square(sums[2 * f + 1])),
              out);
  }
}

// ---- sample rate, deltas ----

// Bound by L1: 8 bytes for two multiply-adds; neighbouring threads read almost the same samples.
__global__ void halve_rate_kernel(int64_t samples, int64_t reach, const Complex* __restrict__ signal,
                                  const float* __restrict__ taps, Complex* __restrict__ halved) {
  const int64_t m = first_item();
  if (m >= (samples + 1) / 2) return;
  const int64_t begin = max(-reach, 2 * m - samples + 1), end = min(reach, 2 * m);  // signal[2m - d] exists
  Complex sum{};
  for (int64_t d = begin; d <= end; ++d) {
    const Complex x = signal[2 * m - d];
    sum.at[0] += taps[reach + d] * x.at[0];
    sum.at[1] += taps[reach + d] * x.at[1];
  }
  halved[m] = sum;
}

// Memory bound: one element read (nine times from L1), three written. The first and last four frames have the deltas of
// the nearest frame with nine neighbours.
__global__ void stack_deltas_kernel(int64_t bands, int64_t frames, int64_t c, const float* __restrict__ x,
                                    float* __restrict__ y) {
  for (int64_t i = first_item(); i < bands * frames * c; i += item_stride()) {
    const int64_t frame = i / c % frames, inner = min(max(frame, int64_t{4}), frames - 5);
    const float* const at = x + i + (inner - frame) * c;
    float slope = 0, curvature = -20 * at[0];
#pragma unroll
    for (int j = 1; j <= 4; ++j) {
      const float before = at[-j * c], after = at[j * c];
      slope += static_cast<float>(j) * (after - before);
      curvature += static_cast<float>(3 * j * j - 20) * (after + before);
    }
    float* const to = y + i / c * 3 * c + i % c;
    to[0] = x[i];
    to[c] = slope * (1.0f / 60);
    to[2 * c] = curvature * (1.0f / 462);
  }
}

// ---- launches ----

const Complex* complex(const Tensor& x) { return reinterpret_cast<const Complex*>(x.data<float>()); }
Complex* complex(Tensor& x) { return reinterpret_cast<Complex*>(x.data<float>()); }

BandWork work_of(const Tensor& spectra, const BandFilters& filters, float log_offset) {
  return {.frames = spectra.shape()[0],
          .fft_size = static_cast<int>(spectra.shape()[1]),
          .filters = static_cast<int>(filters.bands.shape()[0]),
          .log_offset = log_offset};
}
size_t shared_bytes(const BandWork& work, int frames, int floats_per_bin) {
  return (static_cast<size_t>(work.fft_size) / 2 + 1) * sizeof(float) * static_cast<size_t>(frames * floats_per_bin);
}
Grid grid_of(const BandWork& work, int frames, int floats_per_bin, Device device) {
  const size_t bytes = shared_bytes(work, frames, floats_per_bin);
  AVS_CHECK(ShapeError, bytes <= facts(device).shared_bytes_per_block, "spectrogram: a transform of ", work.fft_size,
            " needs ", bytes, " bytes of shared memory, ", device, " has ", facts(device).shared_bytes_per_block);
  return {.blocks = dim3(static_cast<unsigned>(blocks_for(work.frames, frames))),
          .threads = dim3(kBlock),
          .shared_bytes = bytes};
}

}  // namespace

// ---- entry points ----

void stft(const Tensor& signal, const Tensor& window, const StftFrames& frames, Tensor& spectra) {
  launch("frame_kernel", frame_kernel, over(frames.count * frames.fft_size, signal.device()), signal.device(), frames,
         signal.shape()[0], complex(signal), window.defined() ? window.data<float>() : nullptr, complex(spectra));
  fft_forward(spectra);
}

void band_sums(const Tensor& spectra, const BandFilters& filters, Bin bin, float log_offset, Tensor& out) {
  const BandWork work = work_of(spectra, filters, log_offset);
  launch("band_sums_kernel", bin == Bin::Power ? band_sums_kernel<Bin::Power> : band_sums_kernel<Bin::Magnitude>,
         grid_of(work, kFrames, 2, out.device()), out.device(), work, complex(spectra), filters.weights.data<float>(),
         filters.bands.data<int32_t>(), complex(out));
}

void band_projections(const Tensor& spectra, const BandFilters& filters, float log_offset, Tensor& out) {
  const BandWork work = work_of(spectra, filters, log_offset);
  const auto run = [&](auto kernel, int frames) {
    launch("band_projections_kernel", kernel, grid_of(work, frames, 4, out.device()), out.device(), work,
           complex(spectra), complex(filters.weights), filters.bands.data<int32_t>(), complex(out));
  };
  constexpr size_t kSharedEverywhere = 64 * 1024;  // available on every GPU from compute capability 7.5
  if (shared_bytes(work, kFrames, 4) <= kSharedEverywhere)
    run(band_projections_kernel<kFrames>, kFrames);
  else
    run(band_projections_kernel<1>, 1);
}

void halve_rate(const Tensor& signal, const Tensor& taps, Tensor& halved) {
  launch("halve_rate_kernel", halve_rate_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(halved.shape()[0], kBlock))), .threads = dim3(kBlock)},
         signal.device(), signal.shape()[0], taps.size() / 2, complex(signal), taps.data<float>(), complex(halved));
}

void stack_deltas(const Tensor& x, Tensor& y) {
  launch("stack_deltas_kernel", stack_deltas_kernel, over(x.size(), x.device()), x.device(), x.shape()[0], x.shape()[1],
         x.shape()[2], x.data<float>(), y.data<float>());
}

}  // namespace avs::cuda
