#include "tensor/cpu/conv2d_filter_gradient.h"

#include <algorithm>

#include "tensor/cpu/simd.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

constexpr int64_t kPixels = 192;  // output pixels of a block: both panels stay in the L2 cache
constexpr int64_t kColumns = 32;  // output columns of a block

// A block of output pixels: `images` whole images, or a rectangle of one.
struct Block {
  int64_t image, images, row, rows, column, columns;
  int64_t pixels() const { return images * rows * columns; }
};

struct Job {
  Nhwc x;        // input extents
  int64_t p, q;  // output extents
  Krsc w;
  Conv2dSpec spec;
  const float *from, *upstream;
  float* dw;
  int64_t panel_rows(const Block& b) const { return (b.rows - 1) * spec.stride_h + w.r; }  // input rows of one image
  int64_t panel_columns(const Block& b) const { return (b.columns - 1) * spec.stride_w + w.s; }
};

// ---- panels ----------------------------------------------------------------------

// Output channels form groups of 3 * kUnit, and one or two last groups of 2 * kUnit: other sizes do not fit the
// registers evenly.
struct Groups {
  int64_t big, small;  // number of groups of each size
};
Groups groups_of(int64_t k, int64_t unit) {
  const int64_t rest = k % (3 * unit);
  const int64_t small = rest == 0 ? 0 : rest == 2 * unit ? 1 : 2;  // 4 = 2 + 2, in units
  return {(k - small * 2 * unit) / (3 * unit), small};
}

// Copies dy of the block to [k group][pixel][k in group].
void copy_gradients(const Job& job, const Block& b, int64_t unit, float* panel) {
  const Groups groups = groups_of(job.w.k, unit);
  const int64_t pixels = b.pixels();
  int64_t pixel = 0;
  for (int64_t i = 0; i < b.images; ++i)
    for (int64_t p = 0; p < b.rows; ++p)
      for (int64_t q = 0; q < b.columns; ++q, ++pixel) {
        const float* from = job.upstream + (((b.image + i) * job.p + b.row + p) * job.q + b.column + q) * job.w.k;
        float* to = panel;
        for (int64_t g = 0; g < groups.big + groups.small; ++g) {
          const int64_t width = g < groups.big ? 3 * unit : 2 * unit;
          std::memcpy(to + pixel * width, from, static_cast<size_t>(width) * sizeof(float));
          from += width;
          to += pixels * width;
        }
      }
}

// Copies the inputs of the block's outputs, channels [first, first + width), to [image][row][column][width].
void copy_inputs(const Job& job, const Block& b, int64_t first, int64_t width, float* panel) {
  const int64_t rows = job.panel_rows(b), columns = job.panel_columns(b);
  const int64_t top = b.row * job.spec.stride_h - job.spec.padding.top;
  const int64_t left = b.column * job.spec.stride_w - job.spec.padding.left;
  const int64_t begin = std::clamp<int64_t>(-left, 0, columns),
                end = std::clamp<int64_t>(job.x.w - left, begin, columns);
  for (int64_t i = 0; i < b.images; ++i)
    for (int64_t r = 0; r < rows; ++r, panel += columns * width) {
      const int64_t row = top + r;
      if (row < 0 || row >= job.x.h) {
        std::fill_n(panel, columns * width, 0.0f);
        continue;
      }
      std::fill_n(panel, begin * width, 0.0f);
      const float* const from = job.from + (((b.image + i) * job.x.h + row) * job.x.w + left) * job.x.c + first;
      for (int64_t s = begin; s < end; ++s)
        std::memcpy(panel + s * width, from + s * job.x.c, static_cast<size_t>(width) * sizeof(float));
      std::fill_n(panel + end * width, (columns - end) * width, 0.0f);
    }
}

// ---- the product of two panels --------------------------------------------------------

struct Strides {
  int64_t image, row, column;  // floats in the input panel from one output to the next
  int64_t dw;                  // floats in dw from one output channel to the next
};

// dw [Channels, Vectors * Lanes] += sum over the block's pixels of dy [Channels] x [Vectors * Lanes]
template <int Lanes, int Channels, int Vectors>
AVS_INLINE void add_products(const Block& b, const Strides& stride, const float* x, const float* dy, float* dw) {
  Vec<Lanes> sum[Channels][Vectors];
#pragma GCC unroll 12
  for (int k = 0; k < Channels; ++k)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) load(sum[k][v], dw + k * stride.dw + v * Lanes);
  for (int64_t i = 0; i < b.images; ++i)
    for (int64_t p = 0; p < b.rows; ++p) {
      const float* at = x + i * stride.image + p * stride.row;
      for (int64_t q = 0; q < b.columns; ++q, at += stride.column, dy += Channels) {
        Vec<Lanes> value[Vectors];
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) load(value[v], at + v * Lanes);
#pragma GCC unroll 12
        for (int k = 0; k < Channels; ++k)
#pragma GCC unroll 2
          for (int v = 0; v < Vectors; ++v) sum[k][v] += value[v] * dy[k];
      }
    }
#pragma GCC unroll 12
  for (int k = 0; k < Channels; ++k)
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) store(dw + k * stride.dw + v * Lanes, sum[k][v]);
}

// One filter row for one group of input channels: all taps and all output channels.
template <int Lanes, int Unit, int Vectors>
AVS_INLINE void add_filter_row(const Job& job, const Block& b, int64_t r, int64_t first, const float* x,
                               const float* dy) {
  constexpr int64_t kWidth = Vectors * Lanes;
  const int64_t columns = job.panel_columns(b), taps = job.w.r * job.w.s * job.w.c;
  const Strides stride{job.panel_rows(b) * columns * kWidth, job.spec.stride_h * columns * kWidth,
                       job.spec.stride_w * kWidth, taps};
  const Groups groups = groups_of(job.w.k, Unit);
  for (int64_t s = 0; s < job.w.s; ++s) {
    const float* const from = x + (r * columns + s) * kWidth;
    const float* upstream = dy;
    float* dw = job.dw + (r * job.w.s + s) * job.w.c + first;
    for (int64_t g = 0; g < groups.big; ++g, upstream += b.pixels() * 3 * Unit, dw += 3 * Unit * taps)
      add_products<Lanes, 3 * Unit, Vectors>(b, stride, from, upstream, dw);
    for (int64_t g = 0; g < groups.small; ++g, upstream += b.pixels() * 2 * Unit, dw += 2 * Unit * taps)
      add_products<Lanes, 2 * Unit, Vectors>(b, stride, from, upstream, dw);
  }
}

struct Task {
  const Job& job;
  const Block& block;
  int64_t r, first, width;  // filter row; input channels [first, first + width)
  const float *x, *dy;      // panels
};

AVS_AVX512 void filter_row_avx512(const Task& t) {
  t.width == 32 ? add_filter_row<16, 4, 2>(t.job, t.block, t.r, t.first, t.x, t.dy)
                : add_filter_row<16, 4, 1>(t.job, t.block, t.r, t.first, t.x, t.dy);
}
AVS_AVX2 void filter_row_avx2(const Task& t) { add_filter_row<8, 2, 2>(t.job, t.block, t.r, t.first, t.x, t.dy); }
void filter_row_any(const Task& t) { add_filter_row<4, 1, 4>(t.job, t.block, t.r, t.first, t.x, t.dy); }

// ---- blocks and threads ---------------------------------------------------------------

template <typename Visit>
void for_each_block(const Job& job, Visit&& visit) {
  const int64_t across = (job.q + kColumns - 1) / kColumns, columns = (job.q + across - 1) / across;
  const int64_t rows = std::clamp<int64_t>(kPixels / columns, 1, job.p);
  const int64_t images = rows < job.p || across > 1 ? 1 : std::clamp<int64_t>(kPixels / (rows * columns), 1, job.x.n);
  for (int64_t n = 0; n < job.x.n; n += images)
    for (int64_t p = 0; p < job.p; p += rows)
      for (int64_t q = 0; q < job.q; q += columns)
        visit(Block{n, std::min(images, job.x.n - n), p, std::min(rows, job.p - p), q, std::min(columns, job.q - q)});
}

// Computes units [first, last) of (channel group, filter row) over all pixels.
void run_units(const Job& job, int64_t width, int64_t unit, int64_t first, int64_t last) {
  Block largest{};
  for_each_block(job, [&](const Block& b) {
    if (largest.pixels() == 0) largest = b;  // the first block is the largest
  });
  Tensor gradients = Tensor::empty({largest.pixels() * job.w.k});
  Tensor inputs = Tensor::empty({largest.images * job.panel_rows(largest) * job.panel_columns(largest) * width});
  float *const dy = gradients.data<float>(), *const x = inputs.data<float>();
  const auto filter_row = for_this_machine(filter_row_avx512, filter_row_avx2, filter_row_any);
  for_each_block(job, [&](const Block& b) {
    copy_gradients(job, b, unit, dy);
    int64_t present = -1;  // the channel group whose inputs the panel holds
    for (int64_t u = first; u < last; ++u) {
      const int64_t group = u / job.w.r, channel = group * width, held = std::min(width, job.w.c - channel);
      if (group != present) copy_inputs(job, b, channel, held, x);
      present = group;
      filter_row({job, b, u % job.w.r, channel, held, x, dy});
    }
  });
}

}  // namespace

bool has_own_filter_gradient(const Shape& w) { return w[0] % 8 == 0 && w[3] % 16 == 0; }

void own_filter_gradient(const Tensor& x, const Tensor& dy, const Conv2dSpec& spec, Tensor& dw) {
  const Job job{as_nhwc(x.shape()), dy.shape()[1],    dy.shape()[2],   as_krsc(dw.shape()), spec,
                x.data<float>(),    dy.data<float>(), dw.data<float>()};
  const bool wide = instruction_set() == InstructionSet::Avx512;
  const int64_t width = wide ? 32 : 16;
  const int64_t unit = wide ? 4 : instruction_set() == InstructionSet::Avx2 ? 2 : 1;
  dw.zero();
  parallel_for((job.w.c + width - 1) / width * job.w.r, 1,
               [&](int64_t a, int64_t b) { run_units(job, width, unit, a, b); });
}

}  // namespace avs::cpu
