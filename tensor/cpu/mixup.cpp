// Mixup on the CPU: memory bound, 12 bytes an element. A copied row reads one source only.
#include "tensor/ops/mixup.h"

#include <algorithm>

#include "tensor/cpu/mixup.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void mix_floats(const float* a, const float* b, float lambda, int64_t n, float* y) {
  mix_row(a, b, lambda, n, y);
}

}  // namespace

void mixup(const Tensor& x, const MixupPlan& plan, Tensor& y) {
  constexpr int64_t kBlock = 1 << 14;  // elements: a sample may be a single row of labels or a whole spectrogram
  const int64_t m = y.shape()[0], sample = m == 0 ? 0 : y.size() / m, blocks = (sample + kBlock - 1) / kBlock;
  const float *from = x.data<float>(), *lambda = plan.lambda.data<float>();
  const int32_t *first = plan.first.data<int32_t>(), *second = plan.second.data<int32_t>();
  parallel_for(m * blocks, 1 + kBlock / (sample + 1), [=, to = y.data<float>()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = i / blocks, offset = i % blocks * kBlock, n = std::min(kBlock, sample - offset);
      mix_floats(from + first[r] * sample + offset, from + second[r] * sample + offset, lambda[r], n,
                 to + r * sample + offset);
    }
  });
}

// A batch's logits: too few to share between threads.
void mixup_backward(const Tensor& dy, const MixupPlan& plan, Tensor& dx) {
  dx.zero();
  if (dx.size() == 0) return;
  const int64_t width = dx.size() / dx.shape()[0];
  for (int64_t m = 0; m < plan.rows(); ++m) {
    const float* const from = dy.data<float>() + m * width;
    float* const a = dx.data<float>() + plan.first.data<int32_t>()[m] * width;
    float* const b = dx.data<float>() + plan.second.data<int32_t>()[m] * width;
    const float lambda = plan.lambda.data<float>()[m];
    for (int64_t k = 0; k < width; ++k) a[k] += lambda * from[k];
    for (int64_t k = 0; k < width; ++k) b[k] += (1.0f - lambda) * from[k];
  }
}

}  // namespace avs::cpu
