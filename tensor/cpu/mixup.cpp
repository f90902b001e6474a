// Mixup on the CPU: memory bound, 12 bytes an element (6 from pixels). Samples that are copied read one source only;
// preprocessing is a second look at a block that lies in the cache.
#include "tensor/ops/mixup.h"

#include <algorithm>
#include <vector>

#include "tensor/parallel.h"
#include "tensor/resize_box.h"

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

void mix_boxes(const Tensor& x, const int32_t* first, const int32_t* second, const float* lambda,
               const MixupOutput& output, Tensor& y) {
  const int64_t n = x.shape()[0], c = x.shape()[3], picture = x.size() / n, sample = y.size() / y.shape()[0];
  const PictureSize stored{x.shape()[1], x.shape()[2]}, wanted{output.resized.height, output.resized.width};
  const auto box_of = [boxes = output.resized.boxes.data<float>()](int64_t i) {
    const float* const b = boxes + 5 * i;
    return Box{b[0], b[1], b[2], b[3]};
  };
  for (int64_t i = 0; i < n; ++i) check_box(stored, box_of(i), wanted);
  const auto resize = [&](int64_t i, float* to) {
    const bool mirrored = output.resized.boxes.data<float>()[5 * i + 4] != 0;
    resize_box(x.data<uint8_t>() + i * picture, stored, c, box_of(i), mirrored ? Mirrored::LeftRight : Mirrored::No,
               wanted, to);
  };
  parallel_for(y.shape()[0], 1, [&](int64_t begin, int64_t end) {
    std::vector<float> other(static_cast<size_t>(sample));
    for (int64_t r = begin; r < end; ++r) {
      float* const out = y.data<float>() + r * sample;
      resize(first[r], out);
      if (lambda[r] != 1.0f) {
        resize(second[r], other.data());
        mix_floats(out, other.data(), lambda[r], sample, out);
      }
      if (output.scale.defined()) scale_pixels(output.scale.data<float>(), output.shift.data<float>(), c, sample, out);
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
