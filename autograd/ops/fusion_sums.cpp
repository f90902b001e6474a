#include "tensor/ops/fusion_sums.h"

#include "autograd/functions.h"

namespace avs {

Variable fusion_sums(const std::vector<Variable>& x, const FusionVariables& parameters, FusionSpec spec) {
  std::vector<Tensor> values;
  for (const Variable& v : x) values.push_back(v.value());
  FusionParameters p;
  std::vector<Variable> inputs = x;  // then what FusionParameters holds, in its order
  const auto take = [&](const Variable& v) {
    inputs.push_back(v);
    return v.value();
  };
  for (const Variable& w : parameters.w) p.w.push_back(take(w));
  for (size_t k = 0; k < 2; ++k) p.bias[k] = take(parameters.bias[k]);
  if (spec.join == FusionJoin::Sum) {
    for (size_t k = 0; k < 2; ++k) p.v[k] = take(parameters.v[k]);
    p.c = take(parameters.c);
  }
  return record("fusion_sums", inputs, ops::fusion_sums(values, p, spec),
                [values, p, spec](const Tensor& dy, const Needs&) {
                  FusionGradients g = ops::fusion_sums_backward(values, p, dy, spec);
                  std::vector<Tensor> all = std::move(g.dx);
                  all.insert(all.end(), g.of.w.begin(), g.of.w.end());
                  all.insert(all.end(), g.of.bias.begin(), g.of.bias.end());
                  if (spec.join == FusionJoin::Sum) {
                    all.insert(all.end(), g.of.v.begin(), g.of.v.end());
                    all.push_back(g.of.c);
                  }
                  return all;
                });
}

}  // namespace avs
