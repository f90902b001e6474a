// Pictures on the CPU: memory bound, 12 bytes an element (6 from pixels), where nothing is resized. Scale and shift look
// a second time at a block that lies in the cache.
#include "tensor/ops/load_pictures.h"

#include <algorithm>
#include <vector>

#include "tensor/cpu/mixup.h"
#include "tensor/cpu/resize_box.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

// Row r of y is made of rows first(r) and second(r) of x.
struct Sources {
  const int32_t *first = nullptr, *second = nullptr;
  const float* weight = nullptr;
  explicit Sources(const MixupPlan& plan) {
    if (!plan.defined()) return;
    first = plan.first.data<int32_t>();
    second = plan.second.data<int32_t>();
    weight = plan.lambda.data<float>();
  }
  int64_t a(int64_t r) const { return first == nullptr ? r : first[r]; }
  int64_t b(int64_t r) const { return first == nullptr ? r : second[r]; }
  float lambda(int64_t r) const { return first == nullptr ? 1.0f : weight[r]; }
};

struct Channels {
  int64_t c;
  const float *scale = nullptr, *shift = nullptr;
  Channels(const PixelScale& s, int64_t channels) : c(channels) {
    if (!s.scale.defined()) return;
    scale = s.scale.data<float>();
    shift = s.shift.data<float>();
  }
};

// n: whole pixels.
AVS_SIMD void scale_pixels(const Channels& channels, int64_t n, float* y) {
  if (channels.scale == nullptr) return;
  for (int64_t i = 0; i < n; i += channels.c)
    for (int64_t k = 0; k < channels.c; ++k) y[i + k] = channels.scale[k] * y[i + k] + channels.shift[k];
}

AVS_SIMD void mix_range(const float* a, const float* b, float lambda, int64_t n, float* y) {
  mix_row(a, b, lambda, n, y);
}
AVS_SIMD void mix_range(const uint8_t* a, const uint8_t* b, float lambda, int64_t n, float* y) {
  mix_row(a, b, lambda, n, y);
}

template <typename T>
void load_whole(const T* x, const Sources& sources, const Channels& channels, int64_t m, int64_t sample, float* y) {
  constexpr int64_t kBlock = 1 << 14;  // elements
  const int64_t c = channels.c, block = std::max(c, kBlock - kBlock % c), blocks = (sample + block - 1) / block;
  parallel_for(m * blocks, 1, [=](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t r = i / blocks, offset = i % blocks * block, n = std::min(block, sample - offset);
      float* const out = y + r * sample + offset;
      mix_range(x + sources.a(r) * sample + offset, x + sources.b(r) * sample + offset, sources.lambda(r), n, out);
      scale_pixels(channels, n, out);
    }
  });
}

void load_boxes(const Tensor& x, const PictureBoxes& b, const Sources& sources, const Channels& channels, Tensor& y) {
  const int64_t n = x.shape()[0], picture = x.size() / n, sample = y.size() / y.shape()[0];
  const PictureSize stored{x.shape()[1], x.shape()[2]}, wanted{b.height, b.width};
  const auto* const boxes = reinterpret_cast<const PictureBox*>(b.boxes.data<float>());
  for (int64_t i = 0; i < n; ++i) check_box(stored, boxes[i]);
  parallel_for(y.shape()[0], 1, [&](int64_t begin, int64_t end) {
    std::vector<float> other;
    const auto resize = [&](int64_t i, float* to) {
      resize_box(x.data<uint8_t>() + i * picture, stored, channels.c, boxes[i], wanted, to);
    };
    for (int64_t r = begin; r < end; ++r) {
      float* const out = y.data<float>() + r * sample;
      resize(sources.a(r), out);
      if (sources.lambda(r) != 1.0f) {
        other.resize(static_cast<size_t>(sample));
        resize(sources.b(r), other.data());
        mix_range(out, other.data(), sources.lambda(r), sample, out);
      }
      scale_pixels(channels, sample, out);
    }
  });
}

}  // namespace

void load_pictures(const Tensor& pixels, const PictureBoxes& boxes, const MixupPlan& plan, const PixelScale& scale,
                   Tensor& y) {
  if (y.size() == 0) return;
  const int64_t m = y.shape()[0], sample = y.size() / m;
  const Sources sources(plan);
  const Channels channels(scale, y.shape()[3]);
  if (boxes.defined()) return load_boxes(pixels, boxes, sources, channels, y);
  const auto run = [&](const auto* x) { load_whole(x, sources, channels, m, sample, y.data<float>()); };
  pixels.dtype() == DType::U8 ? run(pixels.data<uint8_t>()) : run(pixels.data<float>());
}

}  // namespace avs::cpu
