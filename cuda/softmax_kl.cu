// The loss on CUDA: batch size times ten classes, bound by the latency of a launch. Forward is one kernel of one block
// with a warp per row; a batch of thousands of rows takes several blocks and a second kernel. Memory traffic: three
// elements per element forward and backward (12 bytes).
#include "cuda/softmax_row.cuh"
#include "tensor/ops/softmax_kl.h"

namespace avs::cuda {
namespace {

constexpr int kThreads = 1024;           // one block computes the whole batch
constexpr int64_t kRowsPerBlock = 2048;  // depends on n alone, so that the sum is the same on every device
constexpr int64_t kMaxBlocks = 64;

__device__ inline float clipped(float value, float clip) { return value < clip ? clip : value > 1.0f ? 1.0f : value; }

// loss = scale * the sum over the rows; this kernel writes it if there is only one block.
__global__ void __launch_bounds__(kThreads)
    softmax_kl_kernel(int64_t n, int64_t classes, const float* __restrict__ logits, const float* __restrict__ targets,
                      float clip, float* __restrict__ probabilities, double* __restrict__ partial,
                      float* __restrict__ loss) {
  double sum = 0;
  for (int64_t row = first_row(); row < n; row += row_stride()) {
    const int64_t at = row * classes;
    const RowScale scale = row_scale(logits + at, classes);
    const float factor = 1.0f / scale.sum;
    for (int64_t k = lane_of_row(); k < classes; k += 32) {
      const float p = expf(logits[at + k] - scale.largest) * factor, target = clipped(targets[at + k], clip);
      probabilities[at + k] = p;
      // clipped() keeps NaN, so that a diverged loss is visible
      sum += static_cast<double>(target * logf(target / clipped(p, clip)));
    }
  }
  sum = block_sum(sum);
  if (threadIdx.x != 0) return;
  if (gridDim.x == 1)
    *loss = static_cast<float>(sum / static_cast<double>(n));
  else
    partial[blockIdx.x] = sum;
}

__global__ void mean_loss_kernel(int64_t n, int64_t parts, const double* __restrict__ partial,
                                 float* __restrict__ loss) {
  double sum = 0;
  for (int64_t p = 0; p < parts; ++p) sum += partial[p];
  *loss = static_cast<float>(sum / static_cast<double>(n));
}

__global__ void __launch_bounds__(kBlock)
    softmax_kl_backward_kernel(int64_t n, int64_t classes, const float* __restrict__ probabilities,
                               const float* __restrict__ targets, float clip, const float* __restrict__ dloss,
                               float* __restrict__ dlogits) {
  const float scale = *dloss / static_cast<float>(n);
  for (int64_t row = first_row(); row < n; row += row_stride()) {
    const float *const p = probabilities + row * classes, *const t = targets + row * classes;
    float sum = 0.0f;
    for (int64_t k = lane_of_row(); k < classes; k += 32) sum += p[k] > clip ? clipped(t[k], clip) : 0.0f;
    sum = warp_sum(sum);
    for (int64_t k = lane_of_row(); k < classes; k += 32) {
      const float q = p[k] > clip ? clipped(t[k], clip) : 0.0f;
      dlogits[row * classes + k] = scale * (p[k] * sum - q);
    }
  }
}

}  // namespace

void softmax_kl(const Tensor& logits, const Tensor& targets, float clip, SoftmaxKlResult& result) {
  const Device device = logits.device();
  const int64_t n = logits.shape()[0], blocks = std::min(blocks_for(n, kRowsPerBlock), kMaxBlocks);
  Tensor scratch = Tensor::empty({blocks * static_cast<int64_t>(sizeof(double))}, DType::U8, device);
  auto* const partial = reinterpret_cast<double*>(scratch.raw());
  launch("softmax_kl", softmax_kl_kernel, {.blocks = dim3(static_cast<unsigned>(blocks)), .threads = dim3(kThreads)},
         device, n, logits.shape()[1], logits.data<float>(), targets.data<float>(), clip,
         result.probabilities.data<float>(), partial, result.loss.data<float>());
  if (blocks > 1)
    launch("mean_loss", mean_loss_kernel, {.blocks = dim3(1), .threads = dim3(1)}, device, n, blocks, partial,
           result.loss.data<float>());
}

void softmax_kl_backward(const Tensor& probabilities, const Tensor& targets, float clip, const Tensor& dloss,
                         Tensor& dlogits) {
  const int64_t n = probabilities.shape()[0];
  launch("softmax_kl_backward", softmax_kl_backward_kernel, over_rows(n, dlogits.device()), dlogits.device(), n,
         probabilities.shape()[1], probabilities.data<float>(), targets.data<float>(), clip, dloss.data<float>(),
         dlogits.data<float>());
}

}  // namespace avs::cuda
