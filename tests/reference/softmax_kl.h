#pragma once

#include "tests/reference/softmax.h"

namespace avs::reference {

// Keras' KLDivergence of softmax(logits): both arguments clipped to [clip, 1], mean over the rows.
inline double softmax_kl(const Vector& logits, const Vector& targets, size_t classes, double clip) {
  const Vector p = softmax(logits, classes);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const double target = std::clamp(targets[i], clip, 1.0);
    sum += target * std::log(target / std::clamp(p[i], clip, 1.0));
  }
  return sum / static_cast<double>(p.size() / classes);
}

}  // namespace avs::reference
