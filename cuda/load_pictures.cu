// Pictures on CUDA: memory bound, 12 bytes an element in f32, 4 from pixels to 16 bits, where nothing is resized. Rows that
// are copied read one source only. Boxes are resized as they are read: an element of y takes about (2 * reach + 1)^2 pixels
// of each source, and its neighbours find these in the caches. Positions are computed in double, once for each line of a
// picture: a GPU for games does 1/64 as many operations in double as in float.
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/load_pictures.h"

namespace avs::cuda {
namespace {

struct Load {
  int64_t m, sample, c;
  const int32_t *first = nullptr, *second = nullptr;  // null, as is lambda: rows stay as they are
  const float* lambda = nullptr;
  const float *scale = nullptr, *shift = nullptr;  // null: values stay as they are
  __device__ int64_t a(int64_t r) const { return first == nullptr ? r : first[r]; }
  __device__ int64_t b(int64_t r) const { return first == nullptr ? r : second[r]; }
  __device__ float weight(int64_t r) const { return first == nullptr ? 1.0f : lambda[r]; }
};

template <int N, typename T, typename To>
__global__ void __launch_bounds__(kBlock) load_pictures_kernel(Load load, const T* __restrict__ x, To* __restrict__ y) {
  const int64_t step = item_stride() * N % load.c, begin = first_item() * N % load.c;
  for (int64_t r = blockIdx.y; r < load.m; r += gridDim.y) {
    const float weight = load.weight(r), rest = 1.0f - weight;
    const T *const a = x + load.a(r) * load.sample, *const b = x + load.b(r) * load.sample;
    To* const to = y + r * load.sample;
    int64_t channel = begin;
    for (int64_t i = first_item(); i * N < load.sample; i += item_stride()) {
      const Pack<T, N> left = load_pack<N>(a + i * N);
      float value[N];
#pragma unroll
      for (int k = 0; k < N; ++k) value[k] = to_float(left.at[k]);
      if (weight != 1.0f) {  // else a copy, whatever the other sample holds, NaN included
        const Pack<T, N> right = load_pack<N>(b + i * N);
#pragma unroll
        for (int k = 0; k < N; ++k) value[k] = weight * value[k] + rest * to_float(right.at[k]);
      }
      if (load.scale != nullptr) {
        const Pack<float, N> scale = load_channels<N>(load.scale, channel, load.c),
                             shift = load_channels<N>(load.shift, channel, load.c);
#pragma unroll
        for (int k = 0; k < N; ++k) value[k] = scale.at[k] * value[k] + shift.at[k];
        channel += step;
        if (channel >= load.c) channel -= load.c;
      }
      Pack<To, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<To>(value[k]);
      store_pack(to + i * N, out);
    }
  }
}

constexpr int64_t kMaxRows = 65535;  // a grid's extent along y

template <typename T, typename To>
void load_whole(const Load& load, const T* x, To* y, Device device) {
  const auto run = [&](auto kernel, int64_t width) {
    Grid grid = over(blocks_for(load.sample, width), device);
    grid.blocks.y = static_cast<unsigned>(std::min(load.m, kMaxRows));
    launch("load_pictures", kernel, grid, device, load, x, y);
  };
  packs<4>(load.sample, x, y) ? run(load_pictures_kernel<4, T, To>, 4) : run(load_pictures_kernel<1, T, To>, 1);
}

// ---- boxes of pictures ----

struct Pictures {
  int in_h, in_w, h, w, c;
  const float* boxes;  // [n, 5]
};

// Pixels [first, last) make output pixel `index` along one axis; pixel j weighs
// max(0, 1 - |j - first + offset| * slope), divided by the sum of the weights.
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
__global__ void __launch_bounds__(kBlock) load_boxes_kernel(Load load, Pictures p, const Taps* __restrict__ taps,
                                                            const uint8_t* __restrict__ x, To* __restrict__ y) {
  const int64_t picture = int64_t{p.in_h} * p.in_w * p.c, lines = p.h + p.w;
  for (int64_t r = blockIdx.y; r < load.m; r += gridDim.y) {
    const float weight = load.weight(r);
    const int64_t a = load.a(r), b = load.b(r);
    for (int64_t i = first_item(); i < load.sample; i += item_stride()) {
      const auto pixel = static_cast<int>(i / p.c);
      const int channel = static_cast<int>(i - int64_t{pixel} * p.c), row = pixel / p.w, column = pixel % p.w;
      float value = resized(p, x + a * picture, taps + a * lines, row, column, channel);
      if (weight != 1.0f)
        value = weight * value + (1.0f - weight) * resized(p, x + b * picture, taps + b * lines, row, column, channel);
      if (load.scale != nullptr) value = load.scale[channel] * value + load.shift[channel];
      y[r * load.sample + i] = from_float<To>(value);
    }
  }
}

template <typename To>
void load_boxes(const Load& load, const Tensor& x, const PictureBoxes& b, To* y) {
  constexpr int64_t kMaxExtent = 1 << 14;  // pixels are counted in 32 bits
  AVS_CHECK(ShapeError, std::max({x.shape()[1], x.shape()[2], b.height, b.width}) <= kMaxExtent,
            "load_pictures: boxes of ", x.shape(), " to ", b.height, " x ", b.width, "; a side may have ", kMaxExtent,
            " pixels");
  const auto narrow = [](int64_t extent) { return static_cast<int>(extent); };
  const Pictures pictures{narrow(x.shape()[1]), narrow(x.shape()[2]), narrow(b.height),
                          narrow(b.width),      narrow(x.shape()[3]), b.boxes.data<float>()};
  const int64_t lines = x.shape()[0] * (b.height + b.width);
  Tensor memory = Tensor::empty({lines * static_cast<int64_t>(sizeof(Taps))}, DType::U8, x.device());
  auto* const taps = static_cast<Taps*>(memory.raw());
  launch("load_pictures_taps", taps_kernel, over(lines, x.device()), x.device(), x.shape()[0], pictures, taps);
  Grid grid = over(load.sample, x.device());
  grid.blocks.y = static_cast<unsigned>(std::min(load.m, kMaxRows));
  launch("load_pictures", load_boxes_kernel<To>, grid, x.device(), load, pictures, static_cast<const Taps*>(taps),
         x.data<uint8_t>(), y);
}

}  // namespace

void load_pictures(const Tensor& pixels, const PictureBoxes& boxes, const MixupPlan& plan, const PixelScale& scale,
                   Tensor& y) {
  if (y.size() == 0) return;
  Load load{.m = y.shape()[0], .sample = y.size() / y.shape()[0], .c = y.shape()[3]};
  if (plan.defined()) {
    load.first = plan.first.data<int32_t>();
    load.second = plan.second.data<int32_t>();
    load.lambda = plan.lambda.data<float>();
  }
  if (scale.scale.defined()) {
    load.scale = scale.scale.data<float>();
    load.shift = scale.shift.data<float>();
  }
  for_floating("load_pictures", y.dtype(), [&]<typename To>() {
    if (boxes.defined()) return load_boxes(load, pixels, boxes, y.data<To>());
    pixels.dtype() == DType::U8 ? load_whole(load, pixels.data<uint8_t>(), y.data<To>(), y.device())
                                : load_whole(load, pixels.data<float>(), y.data<To>(), y.device());
  });
}

}  // namespace avs::cuda
