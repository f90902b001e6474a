// Convolution on the CPU through oneDNN. Activations stay NHWC. oneDNN chooses the filter's layout (`any`), and the
// filter is reordered from KRSC at each call: with a fixed plain layout oneDNN falls back to its reference code. Some
// filter gradients use our own loops.
#include "tensor/ops/conv2d.h"

#include "tensor/cpu/conv2d.h"
#include "tensor/cpu/conv2d_filter_gradient.h"
#include "tensor/cpu/onednn.h"
#include "tensor/cpu/simd.h"

namespace avs {

struct FixedFilter::Layouts : cpu::onednn::KeptLayouts {};

namespace cpu {
namespace {

using onednn::Desc;
using onednn::Dims;
using onednn::Primitive;
using Role = Primitive::Role;

// A convolution as oneDNN describes it: logical order n, c, h, w and k, c, r, s.
struct Problem {
  Dims x, y, w, strides, before, after;
  Desc x_desc, y_desc, w_plain, w_any, bias;

  Problem(const Shape& xs, const Shape& ws, const Shape& ys, const Conv2dSpec& spec)
      : x{xs[0], xs[3], xs[1], xs[2]},
        y{ys[0], ys[3], ys[1], ys[2]},
        strides{spec.stride_h, spec.stride_w},
        before{spec.padding.top, spec.padding.left},
        after{spec.padding.bottom, spec.padding.right} {
    const auto [k, r, s, c] = as_krsc(ws);
    w = {k, c, r, s};
    x_desc = onednn::nhwc(x);
    y_desc = onednn::nhwc(y);
    w_plain = onednn::strided(w, {r * s * c, 1, s * c, c});
    w_any = onednn::any(w);
    bias = onednn::strided({k}, {1});
  }
};

std::vector<int64_t> key_of(onednn::Kind kind, const Shape& x, const Shape& w, const Conv2dSpec& spec,
                            int64_t variant) {
  return {static_cast<int64_t>(kind),
          x[0],
          x[1],
          x[2],
          x[3],
          w[0],
          w[1],
          w[2],
          spec.stride_h,
          spec.stride_w,
          spec.padding.top,
          spec.padding.bottom,
          spec.padding.left,
          spec.padding.right,
          variant};
}

auto forward_description(const Problem& p, const Desc& bias, Activation activation) {
  dnnl::primitive_attr attr = onednn::attributes();
  if (activation == Activation::Relu) {
    dnnl::post_ops after;
    after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
    attr.set_post_ops(after);
  }
  return dnnl::convolution_forward::primitive_desc(onednn::engine(), dnnl::prop_kind::forward_training,
                                                   dnnl::algorithm::convolution_direct, p.x_desc, p.w_any, bias,
                                                   p.y_desc, p.strides, p.before, p.after, attr);
}

enum class Bias : int64_t { Absent, Present };

std::shared_ptr<const Primitive> forward(const Shape& x, const Shape& w, const Shape& y, const Conv2dSpec& spec,
                                         Bias bias, Activation activation) {
  const int64_t variant = static_cast<int64_t>(bias) + 2 * static_cast<int64_t>(activation);
  return onednn::cached("conv2d", key_of(onednn::Kind::Forward, x, w, spec, variant), [&] {
    const Problem p(x, w, y, spec);
    const bool biased = bias == Bias::Present;
    const auto description = forward_description(p, biased ? p.bias : Desc(), activation);
    std::vector<Primitive::Operand> operands = {{DNNL_ARG_SRC, Role::Input, p.x_desc},
                                                {DNNL_ARG_WEIGHTS, Role::Input, p.w_plain},
                                                {DNNL_ARG_DST, Role::Output, p.y_desc}};
    if (biased) operands.push_back({DNNL_ARG_BIAS, Role::Input, p.bias});
    return Primitive(description, dnnl::convolution_forward(description), std::move(operands));
  });
}

std::shared_ptr<const Primitive> backward_input(const Shape& x, const Shape& w, const Shape& y,
                                                const Conv2dSpec& spec) {
  return onednn::cached("conv2d_backward_input", key_of(onednn::Kind::BackwardInput, x, w, spec, 0), [&] {
    const Problem p(x, w, y, spec);
    const dnnl::convolution_backward_data::primitive_desc description(
        onednn::engine(), dnnl::algorithm::convolution_direct, p.x_desc, p.w_any, p.y_desc, p.strides, p.before,
        p.after, forward_description(p, Desc(), Activation::None), onednn::attributes());
    return Primitive(description, dnnl::convolution_backward_data(description),
                     {{DNNL_ARG_DIFF_DST, Role::Input, p.y_desc},
                      {DNNL_ARG_WEIGHTS, Role::Input, p.w_plain},
                      {DNNL_ARG_DIFF_SRC, Role::Output, p.x_desc}});
  });
}

std::shared_ptr<const Primitive> backward_filter(const Shape& x, const Shape& w, const Shape& y,
                                                 const Conv2dSpec& spec) {
  return onednn::cached("conv2d_backward_filter", key_of(onednn::Kind::BackwardFilter, x, w, spec, 0), [&] {
    const Problem p(x, w, y, spec);
    const dnnl::convolution_backward_weights::primitive_desc description(
        onednn::engine(), dnnl::algorithm::convolution_direct, p.x_desc, p.w_any, p.y_desc, p.strides, p.before,
        p.after, forward_description(p, Desc(), Activation::None), onednn::attributes());
    return Primitive(description, dnnl::convolution_backward_weights(description),
                     {{DNNL_ARG_SRC, Role::Input, p.x_desc},
                      {DNNL_ARG_DIFF_DST, Role::Input, p.y_desc},
                      {DNNL_ARG_DIFF_WEIGHTS, Role::Output, p.w_plain}});
  });
}

// True if our own loops are faster (measured: docs/cpu.md). A 1x1 filter's gradient is a plain matrix product, where
// oneDNN is best. Otherwise oneDNN is slow: on AVX2 always, on AVX-512 for wide inputs and unless the taps lie in one
// row of unit stride.
bool filter_gradient_is_ours(const Shape& w, const Conv2dSpec& spec) {
  const bool strided = spec.stride_h > 1 || spec.stride_w > 1;
  const auto [k, r, s, c] = as_krsc(w);
  if (!has_own_filter_gradient(w) || (r == 1 && s == 1 && !strided)) return false;
  if (instruction_set() != InstructionSet::Avx512) return true;
  return strided || (s == 1 && c >= 64) || (s <= 3 && c >= 80) || c >= 256;
}

void run_forward(const Tensor& x, const Tensor& w, const Tensor& bias, onednn::KeptLayouts* kept,
                 const Conv2dSpec& spec, Activation activation, Tensor& y) {
  if (y.size() == 0) return;
  const Primitive::Binding from{DNNL_ARG_SRC, x.data<float>()}, filter{DNNL_ARG_WEIGHTS, w.data<float>(), kept},
      to{DNNL_ARG_DST, y.data<float>()};
  const auto primitive =
      forward(x.shape(), w.shape(), y.shape(), spec, bias.defined() ? Bias::Present : Bias::Absent, activation);
  if (bias.defined())
    primitive->run({from, filter, {DNNL_ARG_BIAS, bias.data<float>()}, to});
  else
    primitive->run({from, filter, to});
}

}  // namespace

std::string conv2d_implementation(const Shape& x, const Shape& w, Conv2dSpec spec, ConvDirection direction) {
  const Shape y = ops::conv2d_shape(x, w, spec);
  switch (direction) {
    case ConvDirection::Forward: return forward(x, w, y, spec, Bias::Absent, Activation::None)->implementation();
    case ConvDirection::BackwardInput: return backward_input(x, w, y, spec)->implementation();
    case ConvDirection::BackwardFilter:
      if (filter_gradient_is_ours(w, spec)) return "own";
      return backward_filter(x, w, y, spec)->implementation();
  }
  return {};
}

std::shared_ptr<FixedFilter::Layouts> filter_layouts() { return std::make_shared<FixedFilter::Layouts>(); }

void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y) {
  run_forward(x, w, bias, nullptr, spec, activation, y);
}

void conv2d(const Tensor& x, const FixedFilter& filter, Conv2dSpec spec, Activation activation, Tensor& y) {
  run_forward(x, filter.w(), filter.bias(), filter.layouts(), spec, activation, y);
}

void conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx) {
  if (dx.size() == 0) return;
  backward_input(dx.shape(), w.shape(), dy.shape(), spec)
      ->run({{DNNL_ARG_DIFF_DST, dy.data<float>()},
             {DNNL_ARG_WEIGHTS, w.data<float>()},
             {DNNL_ARG_DIFF_SRC, dx.data<float>()}});
}

void conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw) {
  if (x.size() == 0) return dw.zero();
  if (filter_gradient_is_ours(dw.shape(), spec)) return own_filter_gradient(x, dy, spec, dw);
  backward_filter(x.shape(), dw.shape(), dy.shape(), spec)
      ->run({{DNNL_ARG_SRC, x.data<float>()},
             {DNNL_ARG_DIFF_DST, dy.data<float>()},
             {DNNL_ARG_DIFF_WEIGHTS, dw.data<float>()}});
}

}  // namespace cpu
}  // namespace avs
