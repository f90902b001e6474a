// The loss on the CPU: batch size times ten classes, some microseconds, computed in double on one thread.
#include "tensor/ops/softmax_kl.h"

#include <algorithm>
#include <cmath>

#include "tensor/ops/softmax.h"

namespace avs::cpu {
namespace {

double clipped(float value, float clip) { return std::clamp(double{value}, double{clip}, 1.0); }

}  // namespace

void softmax_kl(const Tensor& logits, const Tensor& targets, float clip, SoftmaxKlResult& result) {
  softmax(logits, result.probabilities);
  const float* p = result.probabilities.data<float>();
  const float* t = targets.data<float>();
  double sum = 0;
  for (int64_t i = 0; i < logits.size(); ++i) {
    const double target = clipped(t[i], clip);
    // clamp() keeps NaN, so that a diverged loss is visible.
    sum += target * std::log(target / clipped(p[i], clip));
  }
  *result.loss.data<float>() = static_cast<float>(sum / static_cast<double>(logits.shape()[0]));
}

void softmax_kl_backward(const Tensor& probabilities, const Tensor& targets, float clip, const Tensor& dloss,
                         Tensor& dlogits) {
  const int64_t n = probabilities.shape()[0], classes = probabilities.shape()[1];
  const double scale = double{*dloss.data<float>()} / static_cast<double>(n);
  for (int64_t r = 0; r < n; ++r) {
    const float* p = probabilities.data<float>() + r * classes;
    const float* t = targets.data<float>() + r * classes;
    float* to = dlogits.data<float>() + r * classes;
    const auto q = [&](int64_t k) { return p[k] > clip ? clipped(t[k], clip) : 0.0; };
    double sum = 0;
    for (int64_t k = 0; k < classes; ++k) sum += q(k);
    for (int64_t k = 0; k < classes; ++k) to[k] = static_cast<float>(scale * (double{p[k]} * sum - q(k)));
  }
}

}  // namespace avs::cpu
