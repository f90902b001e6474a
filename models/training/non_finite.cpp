#include "models/training/non_finite.h"

#include "autograd/variable.h"
#include "tensor/ops/reduce.h"

namespace avs {
namespace {

// The value itself, "nan" or "inf", at the first place; empty when all are finite.
std::string bad_value(const Tensor& x) {
  if (x.dtype() == DType::U8) return {};
  const int64_t at = ops::first_non_finite(x);
  return at < 0 ? std::string() : str(x.reshape({x.size()}).rows(at, 1).item());
}

}  // namespace

std::string first_non_finite_parameter(Module& model) {
  for (const Parameter* p : model.parameters())
    if (const std::string bad = bad_value(p->variable.value()); !bad.empty())
      return str("parameter '", p->path, "' holds ", bad);
  return {};
}

std::string find_non_finite(Backbone& model, const Samples& samples) {
  if (std::string parameter = first_non_finite_parameter(model); !parameter.empty()) return parameter;
  if (const std::string bad = bad_value(samples.x); !bad.empty()) return "the input holds " + bad;
  // BatchNorm statistics are not asked: the step that failed has already written what it saw into them.
  std::string found;
  const NoGrad watching;
  model.observe([&](const std::string& stage, const Variable& y) {
    if (const std::string bad = found.empty() ? bad_value(y.value()) : ""; !bad.empty())
      found = str("stage '", stage, "' is the first to hold ", bad);
  });
  model.run(samples);
  model.observe({});
  return found.empty() ? "the head is where it begins" : found;
}

}  // namespace avs
