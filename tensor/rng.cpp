#include "tensor/rng.h"

namespace avs {

double Rng::gamma(double shape) {
  if (shape < 1.0) {
    const double larger = gamma(shape + 1.0);  // a separate statement: the two draws must happen in this order
    return larger * std::pow(1.0 - uniform(), 1.0 / shape);
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal();
    const double v = std::pow(1.0 + c * x, 3);
    if (v > 0.0 && std::log(1.0 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

double Rng::beta(double a, double b) {
  const double x = gamma(a), y = gamma(b);
  return x + y == 0.0 ? 0.5 : x / (x + y);  // both underflow only for shapes near 0
}

}  // namespace avs
