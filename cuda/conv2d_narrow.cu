// Convolution, forward and backward input, for images with few channels (3 colours, 6 kinds of spectrogram), for which
// tiles of a matrix product would be mostly padding. A thread computes 8 or 16 channels of four pixels; the filter is
// in shared memory, and all threads of a warp read the same 16 bytes at a time.
//
// Bound: memory for 1x1 (each pixel read and written once), else CUDA cores: per filter element 16 bytes of shared
// memory for 16 multiplications, per input element 4 bytes through the L1 cache for 8 or 16.
#include "cuda/conv2d_narrow.cuh"

namespace avs::cuda::own {
namespace {

constexpr int kThreads = 128, kPixels = 4;
constexpr int64_t kMaxFilterBytes = 32 * 1024;

int outputs_for(int64_t out_channels) { return out_channels <= 8 ? 8 : 16; }

// ---- kernels ----

// filter[tap][input channel][kOut], zero past the last output channel
template <int kOut>
__device__ inline void load_filter(const Window& window, const float* w, const FilterTaps& taps, int64_t first_out,
                                   int64_t out_channels, float* filter) {
  const int count = window.taps_h * window.taps_w * window.in_c * kOut;
  for (int at = static_cast<int>(threadIdx.x); at < count; at += kThreads) {
    const int64_t out = first_out + at % kOut;
    const int depth = at / kOut, tap = depth / window.in_c;
    const int64_t from = taps.first + tap / window.taps_w * taps.of_tap_h + tap % window.taps_w * taps.of_tap_w +
                         depth % window.in_c * taps.of_in + out * taps.of_out;
    filter[at] = out < out_channels ? w[from] : 0.0f;
  }
}

// The block count keeps ptxas from spilling registers to fit one more block.
template <typename T, int kVector, int kOut>
__global__ void __launch_bounds__(kThreads, kOut == 8 ? 4 : 3)
    conv2d_narrow_kernel(WindowByDepth<T, kVector> source, const float* __restrict__ w, FilterTaps taps,
                         PixelSink<T> sink) {
  using Source = WindowByDepth<T, kVector>;
  const Window& window = source.window;
  const int64_t first_out = int64_t{blockIdx.y} * kOut;
  float* const filter = dynamic_shared<float>();
  note_dynamic_shared<kOut * 9 * 8 * 4>();  // 3x3 of eight channels
  load_filter<kOut>(window, w, taps, first_out, sink.columns, filter);
  __syncthreads();

  const int64_t first_row = int64_t{blockIdx.x} * (kThreads * kPixels) + threadIdx.x;
  typename Source::Row rows[kPixels];
#pragma unroll
  for (int p = 0; p < kPixels; ++p) rows[p] = source.row(first_row + p * kThreads);
  float sums[kPixels][kOut] = {};
  const float* of_tap = filter;
  for (int i = 0; i < window.taps_h; ++i)
    for (int j = 0; j < window.taps_w; ++j) {
      typename Source::Depth depth{0, i, j, 0, 0, 0};
      source.locate(depth);
      const T* from[kPixels];
#pragma unroll
      for (int p = 0; p < kPixels; ++p) from[p] = source.at(rows[p], depth);
      for (int c = 0; c < window.in_c; c += kVector, of_tap += kVector * kOut) {
        Pack<T, kVector> x[kPixels];
#pragma unroll
        for (int p = 0; p < kPixels; ++p)
          x[p] = from[p] == nullptr ? Pack<T, kVector>{} : load_pack<kVector>(from[p] + c);
#pragma unroll
        for (int v = 0; v < kVector; ++v)
#pragma unroll
          for (int k = 0; k < kOut; k += 4) {
            const auto four = load_pack<4>(of_tap + v * kOut + k);
#pragma unroll
            for (int p = 0; p < kPixels; ++p)
#pragma unroll
              for (int m = 0; m < 4; ++m) sums[p][k + m] += to_float(x[p].at[v]) * four.at[m];
          }
      }
    }
#pragma unroll
  for (int p = 0; p < kPixels; ++p)
#pragma unroll
    for (int k = 0; k < kOut; k += 4)
      if (first_out + k < sink.columns)
        sink.put(first_row + p * kThreads, first_out + k,
                 Pack<float, 4>{{sums[p][k], sums[p][k + 1], sums[p][k + 2], sums[p][k + 3]}});
}

template <typename T, int kVector, int kOut>
void launch_narrow(const char* name, const T* in, const Window& window, const float* w, const FilterTaps& taps,
                   const PixelSink<T>& sink, Device device) {
  const Grid grid{.blocks = dim3(static_cast<unsigned>(blocks_for(sink.rows, kThreads * kPixels)),
                                 static_cast<unsigned>(blocks_for(sink.columns, kOut))),
                  .threads = dim3(kThreads),
                  .shared_bytes = static_cast<size_t>(window.depth()) * kOut * sizeof(float)};
  launch(name, conv2d_narrow_kernel<T, kVector, kOut>, grid, device, WindowByDepth<T, kVector>{in, window}, w, taps,
         sink);
}

}  // namespace

// ---- entry points ----

bool narrow_serves(const Window& window, int64_t out_channels) {
  const bool few = out_channels <= 8 || window.in_c <= 8 || window.in_c % 4 != 0;
  return few && window.depth() * outputs_for(out_channels) * static_cast<int64_t>(sizeof(float)) <= kMaxFilterBytes;
}

template <typename T>
void narrow(const char* name, const T* in, const Window& window, const float* w, const FilterTaps& taps,
            const PixelSink<T>& sink, Device device) {
  const bool packed = packs<4>(window.in_c, in), eight = outputs_for(sink.columns) == 8;
  if (packed && eight) return launch_narrow<T, 4, 8>(name, in, window, w, taps, sink, device);
  if (packed) return launch_narrow<T, 4, 16>(name, in, window, w, taps, sink, device);
  if (eight) return launch_narrow<T, 1, 8>(name, in, window, w, taps, sink, device);
  launch_narrow<T, 1, 16>(name, in, window, w, taps, sink, device);
}

template void narrow(const char*, const float*, const Window&, const float*, const FilterTaps&, const PixelSink<float>&,
                     Device);
template void narrow(const char*, const bf16*, const Window&, const float*, const FilterTaps&, const PixelSink<bf16>&,
                     Device);
template void narrow(const char*, const f16*, const Window&, const float*, const FilterTaps&, const PixelSink<f16>&,
                     Device);

}  // namespace avs::cuda::own
