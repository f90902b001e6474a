#include "tensor/ops/batch_norm.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check_spec(const char* op, const BatchNormSpec& spec) {
  AVS_CHECK(UsageError, spec.activation != Activation::Gelu, op, ": the fused activation is None or Relu, not Gelu");
  AVS_CHECK(UsageError, spec.epsilon > 0.0f, op, ": epsilon must be positive, got ", spec.epsilon);
}

// x: [..., c_i] of one shape but for the channels. The shape of all side by side.
Shape check_x(const char* op, const std::vector<Tensor>& x) {
  AVS_CHECK(ShapeError, !x.empty() && x.size() <= kMaxBatchNormSlices, op, ": 1 to ", kMaxBatchNormSlices,
            " tensors can be normalised at once, got ", x.size());
  int64_t c = 0;
  for (const Tensor& part : x) {
    const RowsShape shape = check_rows(op, "x", part);
    AVS_CHECK(ShapeError, shape.rows >= 1, op, ": x ", part.shape(), " has no values to normalise");
    AVS_CHECK(ShapeError,
              part.shape().rank() == x[0].shape().rank() && part.shape().with(-1, x[0].shape()[-1]) == x[0].shape() &&
                  part.dtype() == x[0].dtype(),
              op, ": x ", part.shape(), " ", part.dtype(), " cannot stand beside ", x[0].shape(), " ", x[0].dtype());
    check_same_device(op, {{"x", x[0]}, {"x", part}});
    c += shape.c;
  }
  return x[0].shape().with(-1, c);
}

void check_channels(const char* op, const Shape& x, const Tensor& like, const char* name, const Tensor& t) {
  check_f32(op, name, t);
  AVS_CHECK(ShapeError, t.shape() == Shape({x[-1]}), op, ": x ", x, " has ", x[-1], " channels, so ", name,
            " must be [", x[-1], "], got ", t.shape());
  check_same_device(op, {{"x", like}, {name, t}});
}

// The slices have x's channels, each somewhere in a tensor with x's other axes.
void check_slices(const char* op, const Shape& x, const Tensor& like, const char* name,
                  const std::vector<ChannelSlice>& slices) {
  AVS_CHECK(ShapeError, !slices.empty() && slices.size() <= kMaxBatchNormSlices, op, ": ", name, " is 1 to ",
            kMaxBatchNormSlices, " slices, got ", slices.size());
  int64_t c = 0;
  for (const auto& [whole, first, count] : slices) {
    AVS_CHECK(ShapeError, whole.defined(), op, ": ", name, " is undefined");
    const int64_t end = first + count;
    AVS_CHECK(ShapeError,
              whole.shape().rank() == x.rank() && whole.shape().with(-1, x[-1]) == x && first >= 0 && count >= 1 &&
                  end <= whole.shape()[-1],
              op, ": x ", x, " cannot fill channels ", first, " to ", end, " of ", name, " ", whole.shape());
    AVS_CHECK(ShapeError, whole.dtype() == like.dtype(), op, ": x is ", like.dtype(), " but ", name, " is ",
              whole.dtype());
    check_same_device(op, {{"x", like}, {name, whole}});
    c += count;
  }
  AVS_CHECK(ShapeError, c == x[-1], op, ": x ", x, " has ", x[-1], " channels, ", name, " ", c);
}

void check_residual(const char* op, const char* name, const Tensor& residual, const char* y_name,
                    const std::vector<ChannelSlice>& y) {
  if (!residual.defined()) return;
  AVS_CHECK(UsageError, y.size() == 1, op, ": ", name, " needs ", y_name, " to be one slice, got ", y.size());
  check_alike(op, y_name, y[0].whole, name, residual);
}

}  // namespace

BatchNormMoments batch_norm(const std::vector<Tensor>& x, const Tensor& gamma, const Tensor& beta,
                            const Tensor& residual, RunningMoments& running, BatchNormSpec spec,
                            std::vector<ChannelSlice>& y) {
  const char* const op = "batch_norm";
  check_spec(op, spec);
  const Shape shape = check_x(op, x);
  if (gamma.defined()) check_channels(op, shape, x[0], "gamma", gamma);
  check_channels(op, shape, x[0], "beta", beta);
  check_channels(op, shape, x[0], "running_mean", running.mean);
  check_channels(op, shape, x[0], "running_variance", running.variance);
  check_slices(op, shape, x[0], "y", y);
  check_residual(op, "residual", residual, "y", y);
  const Device device = x[0].device();
  const auto channels = [&] { return Tensor::empty({shape[-1]}, DType::F32, device); };
  BatchNormMoments moments{spec.moments == Moments::Running ? running.mean : channels(), channels()};
  device.is_cuda() ? cuda::batch_norm(x, gamma, beta, residual, running, spec, moments, y)
                   : cpu::batch_norm(x, gamma, beta, residual, running, spec, moments, y);
  return moments;
}

void batch_norm_backward(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y, const Tensor& gamma,
                         const BatchNormMoments& moments, const std::vector<ChannelSlice>& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients) {
  const char* const op = "batch_norm_backward";
  check_spec(op, spec);
  const Shape shape = check_x(op, x);
  if (gamma.defined()) check_channels(op, shape, x[0], "gamma", gamma);
  check_channels(op, shape, x[0], "mean", moments.mean);
  check_channels(op, shape, x[0], "inverse_std", moments.inverse_std);
  check_slices(op, shape, x[0], "dy", dy);
  if (spec.activation == Activation::Relu) {
    check_slices(op, shape, x[0], "y", y);
    for (size_t i = 0; i < y.size(); ++i)
      AVS_CHECK(ShapeError,
                y.size() == dy.size() && y[i].first == dy[i].first && y[i].count == dy[i].count &&
                    y[i].whole.shape() == dy[i].whole.shape(),
                op, ": y and dy are not the same channels of ", y[i].whole.shape());
  }
  AVS_CHECK(ShapeError, gradients.dx.empty() || gradients.dx.size() == x.size(), op, ": ", x.size(), " tensors x, ",
            gradients.dx.size(), " gradients dx");
  for (size_t i = 0; i < gradients.dx.size(); ++i) check_alike(op, "x", x[i], "dx", gradients.dx[i]);
  check_residual(op, "dresidual", gradients.dresidual, "dy", dy);
  const Device device = x[0].device();
  gradients.dbeta = Tensor::empty({shape[-1]}, DType::F32, device);
  gradients.dgamma = gamma.defined() ? Tensor::empty({shape[-1]}, DType::F32, device) : Tensor();
  device.is_cuda() ? cuda::batch_norm_backward(x, y, gamma, moments, dy, spec, gradients)
                   : cpu::batch_norm_backward(x, y, gamma, moments, dy, spec, gradients);
}

}  // namespace avs::ops
