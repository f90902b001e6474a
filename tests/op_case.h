// The test of an op: a case computes the same function by the engine and by a double-precision oracle. check_op
// compares the outputs and, under random upstream gradients, the gradient of every input with central differences of
// the oracle. The gradients are random because under ones a normalisation's gradient is zero.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/functions.h"
#include "tests/reference/vector.h"

namespace avs {

using reference::Vector;

struct OpCase {
  std::string name;           // enough to reproduce the case
  std::vector<Shape> inputs;  // all differentiable
  std::function<Variable(const std::vector<Variable>&)> engine;
  std::function<Vector(const std::vector<Vector>&)> oracle;  // forward only
  double tolerance = 1e-5;                                   // relative norm error
  // Inputs near a kink break finite differences: a case may draw its own (relu: |x| > 0.05; max: a shuffled ramp).
  std::function<Vector(const Shape& shape, size_t input)> draw = {};
};

std::vector<Device> devices();  // every device of this machine that the build can use
void test_only_on(Device device);

// bf16 and f16 on every device that computes in them (the CPU does not); to_short() returns values rounded to such a
// type.
std::vector<std::pair<Device, DType>> short_types();
Tensor to_short(const Vector& values, const Shape& shape, Device device, DType dtype);

Tensor to_tensor(const Vector& values, const Shape& shape, Device device = kCpu);
Vector to_double(const Tensor& tensor);
// Only GPUs compute in short types. Their results are compared with the CPU in f32, which is compared with the oracle.
Tensor random_tensor(const Shape& shape, uint64_t seed, DType dtype, Device device);
Tensor on_cpu_in_f32(const Tensor& tensor);                        // the same values; undefined stays undefined
double relative_error(const Vector& got, const Vector& expected);  // |got - expected| / |expected|, 2-norms
// d<f(x), dy>/dx by central differences
Vector numeric_gradient(const std::function<Vector(const Vector&)>& f, const Vector& x, const Vector& dy);
Vector away_from_zero(const Shape& shape, size_t seed);  // |x| > 0.05
Vector shuffled_ramp(const Shape& shape, size_t seed);   // all distances at least 0.01

void check_op(const OpCase& op, Device device);

// Returns what() of the ErrorType that f throws; the test fails if f throws none.
template <typename ErrorType, typename F>
std::string error_of(F&& f);

}  // namespace avs

#include <gmock/gmock.h>
#include <gtest/gtest.h>

template <typename ErrorType, typename F>
std::string avs::error_of(F&& f) {
  try {
    f();
  } catch (const ErrorType& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return {};
}
