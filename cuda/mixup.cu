// Mixup on CUDA: memory bound, 12 bytes an element in f32, 4 from pixels to 16 bits, with or without a network's scale
// and shift on the way. Samples that are copied read one source only. Pictures of another size are resized as they are
// read: an element of y takes about (2 * reach + 1)^2 pixels of each source, found in the caches by its neighbours. Which
// pixels, and how far along, is computed in double once for each line of a picture: a GPU for games does 1/64 as many
// operations in double as in float.
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/mixup.h"

namespace avs::cuda {
namespace {

struct Mix {
  int64_t m, sample, c;
  const int32_t *first, *second;
  const float* lambda;
  const float *scale, *shift;  // null: values leave as they are
};

template <int N, typename T, typename To>
__global__ void __launch_bounds__(kBlock) mixup_kernel(Mix mix, const T* __restrict__ x, To* __restrict__ y) {
  const int64_t step = item_stride() * N % mix.c, begin = first_item() * N % mix.c;
  for (int64_t r = blockIdx.y; r < mix.m; r += gridDim.y) {
    const float weight = mix.lambda[r], rest = 1.0f - weight;
    const T *const a = x + mix.first[r] * mix.sample, *const b = x + mix.second[r] * mix.sample;
    To* const to = y + r * mix.sample;
    int64_t channel = begin;
    for (int64_t i = first_item(); i * N < mix.sample; i += item_stride()) {
      const Pack<T, N> left = load_pack<N>(a + i * N);
      float value[N];
#pragma unroll
      for (int k = 0; k < N; ++k) value[k] = to_float(left.at[k]);
      if (weight != 1.0f) {  // else a copy, whatever the other sample holds, NaN included
        const Pack<T, N> right = load_pack<N>(b + i * N);
#pragma unroll
        for (int k = 0; k < N; ++k) value[k] = weight * value[k] + rest * to_float(right.at[k]);
      }
      if (mix.scale != nullptr) {
        const Pack<float, N> scale = load_channels<N>(mix.scale, channel, mix.c),
                             shift = load_channels<N>(mix.shift, channel, mix.c);
#pragma unroll
        for (int k = 0; k < N; ++k) value[k] = scale.at[k] * value[k] + shift.at[k];
        channel += step;
        if (channel >= mix.c) channel -= mix.c;
      }
      Pack<To, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<To>(value[k]);
      store_pack(to + i * N, out);
    }
  }
}

template <typename T, typename To>
void mix_as(const Mix& mix, const T* x, To* y, Device device) {
  constexpr int64_t kMostRows = 65535;  // a grid's extent along y
  const auto run = [&](auto kernel, int64_t width) {
    Grid grid = over(blocks_for(mix.sample, width), device);
    grid.blocks.y = static_cast<unsigned>(std::min(mix.m, kMostRows));
    launch("mixup", kernel, grid, device, mix, x, y);
  };
  packs<4>(mix.sample, x, y) ? run(mixup_kernel<4, T, To>, 4) : run(mixup_kernel<1, T, To>, 1);
}

// ---- boxes of pictures ----

struct Pictures {
  int in_h, in_w, h, w, c;
  const float* boxes;  // [n, 5]
};

// Which pixels make output pixel `index` along one axis: [first, last), the weight of pixel j being
// max(0, 1 - |j - first + offset| * slope), to be divided by their sum.
struct Taps {
  int first, last;
  float offset, slope;
  __device__ float weight(int j) const {
    return fmaxf(0.0f, 1.0f - fabsf(static_cast<float>(j - first) + offset) * slope);
  }
};

// Places in double, as on the CPU: at pixel 4000 of a large picture f32 has no digits left for the weights.
__device__ inline Taps taps_of(float from, float length, int extent, int count, int index) {
  const double begin = from, scale = static_cast<double>(length) / count, reach = scale < 1.0 ? 1.0 : scale;
  const double centre = begin + (index + 0.5) * scale;
  const double low = floor(begin), high = ceil(begin + static_cast<double>(length));
  Taps taps{};
  taps.first = max(0, static_cast<int>(fmax(low, floor(centre - reach + 0.5))));
  taps.last = min(extent, static_cast<int>(fmin(high, floor(centre + reach + 0.5))));
  taps.offset = static_cast<float>(taps.first + 0.5 - centre);
  taps.slope = static_cast<float>(1.0 / reach);
  return taps;
}

// A thread to a line: taps [n, h + w], of the rows and then of the columns of each picture's box.
__global__ void __launch_bounds__(kBlock) taps_kernel(int64_t n, Pictures p, Taps* __restrict__ taps) {
  const int64_t lines = p.h + p.w;
  for (int64_t i = first_item(); i < n * lines; i += item_stride()) {
    const float* const box = p.boxes + i / lines * 5;
    const auto line = static_cast<int>(i % lines);
    taps[i] = line < p.h ? taps_of(box[1], box[3], p.in_h, p.h, line)
                         : taps_of(box[0], box[2], p.in_w, p.w, box[4] == 0.0f ? line - p.h : p.h + p.w - 1 - line);
  }
}

__device__ inline float resized(const Pictures& p, const uint8_t* picture, const Taps* taps, int row, int column,
                                int channel) {
  const Taps rows = taps[row], columns = taps[p.h + column];
  float across = 0, down = 0, sum = 0;
  for (int i = columns.first; i < columns.last; ++i) across += columns.weight(i);
  for (int j = rows.first; j < rows.last; ++j) {
    const uint8_t* const line = picture + int64_t{j} * p.in_w * p.c + channel;
    float of_line = 0;
    for (int i = columns.first; i < columns.last; ++i) of_line += columns.weight(i) * to_float(line[i * p.c]);
    down += rows.weight(j);
    sum += rows.weight(j) * of_line;
  }
  return sum / (across * down);
}

template <typename To>
__global__ void __launch_bounds__(kBlock) resized_mixup_kernel(Mix mix, Pictures p, const Taps* __restrict__ taps,
                                                               const uint8_t* __restrict__ x, To* __restrict__ y) {
  const int64_t picture = int64_t{p.in_h} * p.in_w * p.c, lines = p.h + p.w;
  for (int64_t r = blockIdx.y; r < mix.m; r += gridDim.y) {
    const float weight = mix.lambda[r];
    const int64_t a = mix.first[r], b = mix.second[r];
    for (int64_t i = first_item(); i < mix.sample; i += item_stride()) {
      const auto pixel = static_cast<int>(i / p.c);
      const int channel = static_cast<int>(i - int64_t{pixel} * p.c), row = pixel / p.w, column = pixel % p.w;
      float value = resized(p, x + a * picture, taps + a * lines, row, column, channel);
      if (weight != 1.0f)
        value = weight * value + (1.0f - weight) * resized(p, x + b * picture, taps + b * lines, row, column, channel);
      if (mix.scale != nullptr) value = mix.scale[channel] * value + mix.shift[channel];
      y[r * mix.sample + i] = from_float<To>(value);
    }
  }
}

template <typename To>
void mix_boxes(const Mix& mix, const Tensor& x, const PictureBoxes& resized, To* y) {
  constexpr int64_t kMostExtent = 1 << 14;  // pixels are counted in 32 bits
  AVS_CHECK(ShapeError, std::max({x.shape()[1], x.shape()[2], resized.height, resized.width}) <= kMostExtent,
            "mixup: boxes of ", x.shape(), " to ", resized.height, " x ", resized.width, "; a side may have ",
            kMostExtent, " pixels");
  const auto narrow = [](int64_t extent) { return static_cast<int>(extent); };
  const Pictures pictures{narrow(x.shape()[1]),  narrow(x.shape()[2]), narrow(resized.height),
                          narrow(resized.width), narrow(x.shape()[3]), resized.boxes.data<float>()};
  const int64_t lines = x.shape()[0] * (resized.height + resized.width);
  Tensor memory = Tensor::empty({lines * static_cast<int64_t>(sizeof(Taps))}, DType::U8, x.device());
  auto* const taps = static_cast<Taps*>(memory.raw());
  launch("mixup_taps", taps_kernel, over(lines, x.device()), x.device(), x.shape()[0], pictures, taps);
  Grid grid = over(mix.sample, x.device());
  grid.blocks.y = static_cast<unsigned>(std::min<int64_t>(mix.m, 65535));
  launch("mixup", resized_mixup_kernel<To>, grid, x.device(), mix, pictures, static_cast<const Taps*>(taps),
         x.data<uint8_t>(), y);
}

// A thread to an element of dx asks every row of dy whether it came from here: batches are a few hundred rows, and a
// sum in the order of m needs no atomics. Bound by the m indices (12 bytes each, from cache) that each element reads.
__global__ void __launch_bounds__(kBlock)
    mixup_backward_kernel(int64_t count, int64_t width, int64_t m, const float* __restrict__ dy,
                          const int32_t* __restrict__ first, const int32_t* __restrict__ second,
                          const float* __restrict__ lambda, float* __restrict__ dx) {
  for (int64_t i = first_item(); i < count; i += item_stride()) {
    const int64_t row = i / width, column = i % width;
    float sum = 0.0f;
    for (int64_t k = 0; k < m; ++k) {
      if (first[k] == row) sum += lambda[k] * dy[k * width + column];
      if (second[k] == row) sum += (1.0f - lambda[k]) * dy[k * width + column];
    }
    dx[i] = sum;
  }
}

}  // namespace

void mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda, const MixupOutput& output,
           Tensor& y) {
  if (y.size() == 0) return;
  const bool scaled = output.scale.defined();
  const Mix mix{.m = y.shape()[0],
                .sample = y.size() / y.shape()[0],
                .c = scaled ? y.shape()[-1] : 1,
                .first = first.data<int32_t>(),
                .second = second.data<int32_t>(),
                .lambda = lambda.data<float>(),
                .scale = scaled ? output.scale.data<float>() : nullptr,
                .shift = scaled ? output.shift.data<float>() : nullptr};
  for_floating("mixup", y.dtype(), [&]<typename To>() {
    if (output.resized.boxes.defined()) return mix_boxes(mix, x, output.resized, y.data<To>());
    x.dtype() == DType::U8 ? mix_as(mix, x.data<uint8_t>(), y.data<To>(), x.device())
                           : mix_as(mix, x.data<float>(), y.data<To>(), x.device());
  });
}

void mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, Tensor& dx) {
  if (dx.size() == 0) return;
  launch("mixup_backward", mixup_backward_kernel, over(dx.size(), dx.device()), dx.device(), dx.size(),
         dx.size() / dx.shape()[0], lambda.size(), dy.data<float>(), first.data<int32_t>(), second.data<int32_t>(),
         lambda.data<float>(), dx.data<float>());
}

}  // namespace avs::cuda
