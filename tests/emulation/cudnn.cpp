#include "tests/emulation/cudnn.h"

#include "cuda/cudnn.h"
#include "cuda/runtime.h"
#include "tests/emulation/runtime.h"
#include "tests/emulation/shadow.h"
#include "tests/reference/conv2d.h"

namespace avs::emulation {
namespace {

Cudnn which_cudnn = Cudnn::Missing;
int64_t done = 0;

}  // namespace

void set_cudnn(Cudnn which) { which_cudnn = which; }
int64_t convolutions_by_cudnn() { return done; }

}  // namespace avs::emulation

namespace avs::cuda::cudnn {
namespace {

using reference::Vector;

// As the real one: a filter of odd channels in 16 bits has no engine.
bool has_engine(const Tensor& result, const Shape& w, const Conv2dSpec& spec) {
  if (emulation::which_cudnn != emulation::Cudnn::Loops || spec.groups != 1 || result.size() == 0) return false;
  return result.dtype() == DType::F32 || (w[0] % 8 == 0 && w[3] % 8 == 0);
}

template <typename... Tensors>
void check_operands(const char* what, const Tensors&... tensors) {
  const auto check = [&](const Tensor& t) {
    AVS_CHECK(emulation::Finding, t.device().is_cuda(), what, ": a tensor ", t.shape(), " is not on the device");
    AVS_CHECK(emulation::Finding, reinterpret_cast<uintptr_t>(t.raw()) % 16 == 0, what, ": a tensor ", t.shape(),
              " is not aligned to 16 bytes");
    AVS_CHECK(emulation::Finding, emulation::heap::is_live(t.raw(), t.bytes()), what, ": a tensor ", t.shape(),
              " was given back");
  };
  (check(tensors), ...);
}

void check_extents(const char* what, const Shape& x, const Shape& w, const Shape& y, const Conv2dSpec& spec) {
  const Shape expected = ops::conv2d_shape(x, w, spec);
  AVS_CHECK(emulation::Finding, y == expected, what, ": ", x, " and ", w, " give ", expected, ", described as ", y);
}

// Values of a device tensor, read where they are: the work runs when the stream does.
template <typename T>
Vector read_as(const void* data, int64_t count) {
  const T* const values = static_cast<const T*>(data);
  Vector read(static_cast<size_t>(count));
  for (size_t i = 0; i < read.size(); ++i) read[i] = static_cast<double>(static_cast<float>(values[i]));
  return read;
}
Vector read(const void* data, int64_t count, DType dtype) {
  if (dtype == DType::BF16) return read_as<bf16>(data, count);
  return dtype == DType::F16 ? read_as<f16>(data, count) : read_as<float>(data, count);
}
void write(void* data, const Vector& values, DType dtype) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<float>(values[i]);
    if (dtype == DType::BF16)
      static_cast<bf16*>(data)[i] = bf16(value);
    else if (dtype == DType::F16)
      static_cast<f16*>(data)[i] = f16(value);
    else
      static_cast<float*>(data)[i] = value;
  }
}

bool submitted(Device device, emulation::Work work) {
  check(static_cast<cudaError_t>(emulation::submit(stream(device), std::move(work))), "cuDNN");
  ++emulation::done;
  return true;
}

}  // namespace

bool conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y) {
  if (!has_engine(y, w.shape(), spec)) return false;
  check_operands("conv2d", x, w, y);
  check_extents("conv2d", x.shape(), w.shape(), y.shape(), spec);
  if (bias.defined()) check_operands("conv2d", bias);
  const void* const shift = bias.defined() ? bias.raw() : nullptr;
  return submitted(x.device(), [=, xs = x.shape(), ws = w.shape(), type = x.dtype(), from = x.raw(), filter = w.raw(),
                                to = y.raw()] {
    Vector sums = reference::conv2d(read(from, xs.size(), type), as_nhwc(xs), read(filter, ws.size(), DType::F32),
                                    as_krsc(ws), shift == nullptr ? Vector() : read(shift, ws[0], DType::F32), spec);
    if (activation == Activation::Relu)
      for (double& v : sums) v = v < 0 ? 0 : v;
    write(to, sums, type);
  });
}

bool conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx) {
  if (!has_engine(dx, w.shape(), spec)) return false;
  check_operands("conv2d_backward_input", w, dy, dx);
  check_extents("conv2d_backward_input", dx.shape(), w.shape(), dy.shape(), spec);
  return submitted(dy.device(), [=, xs = dx.shape(), ws = w.shape(), ys = dy.shape(), type = dy.dtype(),
                                 filter = w.raw(), above = dy.raw(), to = dx.raw()] {
    write(to,
          reference::conv2d_backward_input(as_nhwc(xs), read(filter, ws.size(), DType::F32), as_krsc(ws),
                                           read(above, ys.size(), type), spec),
          type);
  });
}

bool conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw) {
  // The result is f32 whatever x is: ask with x's type.
  if (!has_engine(x, dw.shape(), spec)) return false;
  check_operands("conv2d_backward_filter", x, dy, dw);
  check_extents("conv2d_backward_filter", x.shape(), dw.shape(), dy.shape(), spec);
  return submitted(x.device(), [=, xs = x.shape(), ws = dw.shape(), ys = dy.shape(), type = x.dtype(), from = x.raw(),
                                above = dy.raw(), to = dw.raw()] {
    write(to,
          reference::conv2d_backward_filter(read(from, xs.size(), type), as_nhwc(xs), read(above, ys.size(), type),
                                            as_krsc(ws), spec),
          DType::F32);
  });
}

void set_rules(const Rules&) {}
std::string about() { return "a stand-in for cuDNN"; }

}  // namespace avs::cuda::cudnn
