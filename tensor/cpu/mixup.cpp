// Mixup on the CPU: memory bound, 12 bytes an element (6 from pixels). Samples that are copied read one source only;
// preprocessing is a second look at a block that lies in the cache.
#include "tensor/ops/mixup.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

template <typename T>
[[gnu::always_inline]] inline void mix(const T* a, const T* b, float lambda, int64_t n, float* y) {
  if (lambda == 1.0f) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(a[i]);
    return;
  }
  const float rest = 1.0f - lambda;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = lambda * static_cast<float>(a[i]) + rest * static_cast<float>(b[i]);
}

AVS_SIMD void mix_floats(const float* a, const float* b, float lambda, int64_t n, float* y) { mix(a, b, lambda, n, y); }
AVS_SIMD void mix_pixels(const uint8_t* a, const uint8_t* b, float lambda, int64_t n, float* y) {
  mix(a, b, lambda, n, y);
}

void mix_range(const float* a, const float* b, float lambda, int64_t n, float* y) { mix_floats(a, b, lambda, n, y); }
void mix_range(const uint8_t* a, const uint8_t* b, float lambda, int64_t n, float* y) {
  mix_pixels(a, b, lambda, n, y);
}

// n: whole pixels of c channels.
AVS_SIMD void scale_pixels(const float* scale, const float* shift, int64_t c, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += c)
    for (int64_t k = 0; k < c; ++k) y[i + k] = scale[k] * y[i + k] + shift[k];
}

template <typename T>
void mixup_as(const T* x, const int32_t* first, const int32_t* second, const float* lambda, const MixupOutput& output,
              int64_t m, int64_t sample, float* y) {
  constexpr int64_t kBlock = 1 << 14;  // elements: a sample may be a single row of labels or a whole spectrogram
  const float* const scale = output.scale.defined() ? output.scale.data<float>() : nullptr;
  const float* const shift = scale == nullptr ? nullptr : output.shift.data<float>();
  const int64_t c = scale == nullptr ? 1 : output.scale.size(), block = std::max(c, kBlock - kBlock % c);
  const int64_t blocks = (sample + block - 1) / block;
  const int64_t grain = 1 + block / (sample + 1);
  parallel_for(m * blocks, grain, [=](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t r = i / blocks, offset = i % blocks * block, n = std::min(block, sample - offset);
      float* const out = y + r * sample + offset;
      mix_range(x + first[r] * sample + offset, x + second[r] * sample + offset, lambda[r], n, out);
      if (scale != nullptr) scale_pixels(scale, shift, c, n, out);
    }
  });
}

// ---- boxes of pictures ----

struct Taps {  // an output pixel is a weighted sum of neighbours
  int64_t first = 0;
  std::vector<float> weights = {};
};

// Along one axis, for each of `count` output pixels (vision/resize.h).
std::vector<Taps> taps_of(double begin, double length, int64_t extent, int64_t count) {
  const double scale = length / static_cast<double>(count), reach = std::max(1.0, scale);
  const double low = std::max(0.0, std::floor(begin)),
               high = std::min(static_cast<double>(extent), std::ceil(begin + length));
  std::vector<Taps> all;
  for (int64_t i = 0; i < count; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    const double first = std::max(low, std::floor(centre - reach + 0.5));
    const double last = std::min(high, std::floor(centre + reach + 0.5));
    Taps taps{static_cast<int64_t>(first)};
    double sum = 0;
    for (double j = first; j < last; ++j) sum += std::max(0.0, 1 - std::abs(j + 0.5 - centre) / reach);
    for (double j = first; j < last; ++j)
      taps.weights.push_back(static_cast<float>(std::max(0.0, 1 - std::abs(j + 0.5 - centre) / reach) / sum));
    all.push_back(std::move(taps));
  }
  return all;
}

// y [h, w, c] = share * the box, or y + that.
void add_box(const uint8_t* picture, const Shape& shape, const float* box, float share, const PictureBoxes& size,
             bool adds, float* y) {
  const int64_t c = shape[3];
  const std::vector<Taps> down = taps_of(box[1], box[3], shape[1], size.height);
  std::vector<Taps> across = taps_of(box[0], box[2], shape[2], size.width);
  if (box[4] != 0) std::reverse(across.begin(), across.end());
  for (const Taps& rows : down)
    for (const Taps& columns : across)
      for (int64_t k = 0; k < c; ++k, ++y) {
        float sum = 0;
        for (size_t j = 0; j < rows.weights.size(); ++j) {
          const uint8_t* from = picture + ((rows.first + static_cast<int64_t>(j)) * shape[2] + columns.first) * c + k;
          float line = 0;
          for (size_t i = 0; i < columns.weights.size(); ++i, from += c)
            line += columns.weights[i] * static_cast<float>(*from);
          sum += rows.weights[j] * line;
        }
        *y = (adds ? *y : 0.0f) + share * sum;
      }
}

void mix_boxes(const Tensor& x, const int32_t* first, const int32_t* second, const float* lambda,
               const MixupOutput& output, Tensor& y) {
  const int64_t picture = x.size() / x.shape()[0], sample = y.size() / y.shape()[0];
  const auto* const pixels = x.data<uint8_t>();
  const float* const boxes = output.resized.boxes.data<float>();
  float* const to = y.data<float>();
  parallel_for(y.shape()[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* const out = to + r * sample;
      const auto add = [&](int32_t from, float share, bool adds) {
        add_box(pixels + from * picture, x.shape(), boxes + from * int64_t{5}, share, output.resized, adds, out);
      };
      add(first[r], lambda[r], false);
      if (lambda[r] != 1.0f) add(second[r], 1.0f - lambda[r], true);
      if (output.scale.defined())
        scale_pixels(output.scale.data<float>(), output.shift.data<float>(), x.shape()[3], sample, out);
    }
  });
}

}  // namespace

void mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda, const MixupOutput& output,
           Tensor& y) {
  const int64_t m = y.shape()[0], sample = m == 0 ? 0 : y.size() / m;
  if (m > 0 && output.resized.boxes.defined())
    return mix_boxes(x, first.data<int32_t>(), second.data<int32_t>(), lambda.data<float>(), output, y);
  const auto run = [&](const auto* from) {
    mixup_as(from, first.data<int32_t>(), second.data<int32_t>(), lambda.data<float>(), output, m, sample,
             y.data<float>());
  };
  x.dtype() == DType::U8 ? run(x.data<uint8_t>()) : run(x.data<float>());
}

// A batch's embeddings or logits: too few to share between threads.
void mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, Tensor& dx) {
  dx.zero();
  if (dx.size() == 0) return;
  const int64_t width = dx.size() / dx.shape()[0];
  for (int64_t m = 0; m < lambda.size(); ++m) {
    const float* const from = dy.data<float>() + m * width;
    float* const a = dx.data<float>() + first.data<int32_t>()[m] * width;
    float* const b = dx.data<float>() + second.data<int32_t>()[m] * width;
    const float weight = lambda.data<float>()[m];
    for (int64_t d = 0; d < width; ++d) a[d] += weight * from[d];
    for (int64_t d = 0; d < width; ++d) b[d] += (1 - weight) * from[d];
  }
}

}  // namespace avs::cpu
