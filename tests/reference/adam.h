#pragma once

#include <cmath>

#include "tests/reference/vector.h"

namespace avs::reference {

enum class EpsilonPlacement { Corrected, Hat };

struct AdamState {
  Vector parameters, m, v;
};

// One step as in the papers and frameworks; t counts from 1.
inline void adam(AdamState& s, const Vector& gradients, double rate, double t, double beta1, double beta2,
                 double epsilon, double l2, EpsilonPlacement placement) {
  for (size_t i = 0; i < gradients.size(); ++i) {
    const double g = gradients[i] + l2 * s.parameters[i];
    s.m[i] = beta1 * s.m[i] + (1 - beta1) * g;
    s.v[i] = beta2 * s.v[i] + (1 - beta2) * g * g;
    if (placement == EpsilonPlacement::Corrected) {
      const double m_hat = s.m[i] / (1 - std::pow(beta1, t)), v_hat = s.v[i] / (1 - std::pow(beta2, t));
      s.parameters[i] -= rate * m_hat / (std::sqrt(v_hat) + epsilon);
    } else {
      const double hat_rate = rate * std::sqrt(1 - std::pow(beta2, t)) / (1 - std::pow(beta1, t));
      s.parameters[i] -= hat_rate * s.m[i] / (std::sqrt(s.v[i]) + epsilon);
    }
  }
}

}  // namespace avs::reference
