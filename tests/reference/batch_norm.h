#pragma once

#include <cmath>

#include "tests/reference/relu.h"

namespace avs::reference {

struct Moments {
  Vector mean, variance;  // biased
};

inline Moments moments(const Vector& x, size_t c) {
  Moments m{Vector(c), Vector(c)};
  const double rows = static_cast<double>(x.size() / c);
  for (size_t i = 0; i < x.size(); ++i) m.mean[i % c] += x[i] / rows;
  for (size_t i = 0; i < x.size(); ++i) m.variance[i % c] += (x[i] - m.mean[i % c]) * (x[i] - m.mean[i % c]) / rows;
  return m;
}

// (x - mean) / sqrt(variance + epsilon) * gamma + beta + residual; an empty gamma is 1, an empty residual 0.
inline Vector normalise(const Vector& x, const Moments& m, const Vector& gamma, const Vector& beta,
                        const Vector& residual, double epsilon) {
  const size_t c = beta.size();
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t k = i % c;
    const double x_hat = (x[i] - m.mean[k]) / std::sqrt(m.variance[k] + epsilon);
    y[i] = (gamma.empty() ? 1.0 : gamma[k]) * x_hat + beta[k] + (residual.empty() ? 0.0 : residual[i]);
  }
  return y;
}

inline Vector batch_norm(const Vector& x, const Vector& gamma, const Vector& beta, const Vector& residual,
                         double epsilon) {
  return normalise(x, moments(x, beta.size()), gamma, beta, residual, epsilon);
}

}  // namespace avs::reference
