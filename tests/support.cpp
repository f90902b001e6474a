#include <cmath>
#include <optional>

#include "cuda/api.h"
#include "tensor/ops/cast.h"
#include "tests/op_case.h"

namespace avs {

namespace {
std::optional<Device> the_only;
}
void test_only_on(Device device) { the_only = device; }

std::vector<Device> devices() {
  if (the_only) return {*the_only};
  std::vector<Device> all{kCpu};
  if (cuda::available()) all.push_back({Device::Kind::Cuda, 0});
  return all;
}

std::vector<std::pair<Device, DType>> short_types() {
  std::vector<std::pair<Device, DType>> all;
  for (const Device device : devices())
    if (device.is_cuda())
      for (const DType dtype : {DType::BF16, DType::F16}) all.emplace_back(device, dtype);
  return all;
}

Tensor to_short(const Vector& values, const Shape& shape, Device device, DType dtype) {
  return ops::cast(to_tensor(values, shape, device), dtype);
}

Tensor to_tensor(const Vector& values, const Shape& shape, Device device) {
  const std::vector<float> narrow(values.begin(), values.end());
  return Tensor::from(shape, std::span<const float>(narrow), device);
}

Vector to_double(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_vector();
  return {values.begin(), values.end()};
}

Tensor random_tensor(const Shape& shape, uint64_t seed, DType dtype, Device device) {
  return ops::cast(to_tensor(reference::random_vector(shape.size(), seed), shape), dtype).to(device);
}

Tensor on_cpu_in_f32(const Tensor& tensor) {
  return tensor.defined() ? ops::cast(tensor.to(kCpu), DType::F32) : Tensor();
}

double relative_error(const Vector& got, const Vector& expected) {
  EXPECT_EQ(got.size(), expected.size());
  if (got.size() != expected.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
    norm += expected[i] * expected[i];
  }
  if (norm == 0) return std::sqrt(difference);
  return std::sqrt(difference / norm);
}

Vector numeric_gradient(const std::function<Vector(const Vector&)>& f, const Vector& x, const Vector& dy) {
  const auto along = [&](const Vector& at) {
    const Vector y = f(at);
    EXPECT_EQ(y.size(), dy.size());
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  Vector gradient(x.size()), moved = x;
  for (size_t i = 0; i < x.size(); ++i) {
    const double step = 1e-5;
    moved[i] = x[i] + step;
    const double above = along(moved);
    moved[i] = x[i] - step;
    gradient[i] = (above - along(moved)) / (2 * step);
    moved[i] = x[i];
  }
  return gradient;
}

Vector away_from_zero(const Shape& shape, size_t seed) {
  Vector v = reference::random_vector(shape.size(), seed + 1);
  for (double& x : v) x = static_cast<float>(x < 0 ? x - 0.05 : x + 0.05);
  return v;
}

Vector shuffled_ramp(const Shape& shape, size_t seed) {
  Vector v(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < v.size(); ++i)
    v[i] = static_cast<float>(0.01 * (static_cast<double>(i) - static_cast<double>(v.size()) / 2));
  Rng(seed + 1).shuffle(v);
  return v;
}

void check_op(const OpCase& op, Device device) {
  SCOPED_TRACE(str(op.name, " on ", device));
  std::vector<Vector> x;
  std::vector<Variable> v;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    x.push_back(op.draw ? op.draw(op.inputs[i], i) : reference::random_vector(op.inputs[i].size(), i + 1));
    v.emplace_back(to_tensor(x[i], op.inputs[i], device), true);
  }
  const Variable y = op.engine(v);
  EXPECT_LT(relative_error(to_double(y.value()), op.oracle(x)), op.tolerance) << "forward";

  const Vector dy = reference::random_vector(y.shape().size(), 99);
  y.backward(to_tensor(dy, y.shape(), device));
  for (size_t i = 0; i < x.size(); ++i) {
    const auto along_input = [&](const Vector& xi) {
      std::vector<Vector> moved = x;
      moved[i] = xi;
      return op.oracle(moved);
    };
    ASSERT_TRUE(v[i].grad().defined()) << "no gradient reached input " << i;
    EXPECT_LT(relative_error(to_double(v[i].grad()), numeric_gradient(along_input, x[i], dy)), op.tolerance)
        << "gradient of input " << i;
  }
}

}  // namespace avs
