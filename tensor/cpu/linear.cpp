// Matrix products on the CPU through oneDNN's matmul, on rows = all axes but the last.
#include "tensor/ops/linear.h"

#include "tensor/cpu/onednn.h"
#include "tensor/ops/gelu.h"

namespace avs::cpu {
namespace {

using onednn::Desc;
using onednn::Primitive;
using Role = Primitive::Role;

enum class Order : int64_t { Plain, Transposed };

// [rows, columns] as oneDNN sees it; Transposed: memory holds [columns, rows].
Desc matrix(int64_t rows, int64_t columns, Order order) {
  return onednn::strided({rows, columns}, order == Order::Plain ? onednn::Dims{columns, 1} : onednn::Dims{1, rows});
}

struct Product {  // c [m, n] = activation(a [m, k] b [k, n] + bias [n])
  int64_t m, n, k;
  Order a, b;
  int64_t biased;
  Activation activation;
};

std::shared_ptr<const Primitive> product(const Product& p) {
  const std::vector<int64_t> key = {static_cast<int64_t>(onednn::Kind::MatMul),
                                    p.m,
                                    p.n,
                                    p.k,
                                    static_cast<int64_t>(p.a),
                                    static_cast<int64_t>(p.b),
                                    p.biased,
                                    static_cast<int64_t>(p.activation)};
  return onednn::cached("linear", key, [&] {
    dnnl::primitive_attr attr = onednn::attributes();
    if (p.activation != Activation::None) {
      dnnl::post_ops after;
      after.append_eltwise(
          p.activation == Activation::Relu ? dnnl::algorithm::eltwise_relu : dnnl::algorithm::eltwise_gelu_erf, 0.0f,
          0.0f);
      attr.set_post_ops(after);
    }
    const Desc a = matrix(p.m, p.k, p.a), b = matrix(p.k, p.n, p.b), c = matrix(p.m, p.n, Order::Plain);
    const Desc bias = p.biased != 0 ? onednn::strided({1, p.n}, {p.n, 1}) : Desc();
    const dnnl::matmul::primitive_desc description(onednn::engine(), a, b, bias, c, attr);
    std::vector<Primitive::Operand> operands = {
        {DNNL_ARG_SRC, Role::Input, a}, {DNNL_ARG_WEIGHTS, Role::Input, b}, {DNNL_ARG_DST, Role::Output, c}};
    if (p.biased != 0) operands.push_back({DNNL_ARG_BIAS, Role::Input, bias});
    return Primitive(description, dnnl::matmul(description), std::move(operands));
  });
}

}  // namespace

void linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation, Tensor& y) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (y.size() == 0) return;
  const auto primitive = product({x.size() / in, out, in, Order::Plain, Order::Transposed, bias.defined(), activation});
  if (bias.defined())
    primitive->run({{DNNL_ARG_SRC, x.data<float>()},
                    {DNNL_ARG_WEIGHTS, w.data<float>()},
                    {DNNL_ARG_BIAS, bias.data<float>()},
                    {DNNL_ARG_DST, y.data<float>()}});
  else
    primitive->run(
        {{DNNL_ARG_SRC, x.data<float>()}, {DNNL_ARG_WEIGHTS, w.data<float>()}, {DNNL_ARG_DST, y.data<float>()}});
}

void linear_gelu(const Tensor& x, const Tensor& w, const Tensor& bias, LinearGeluResult& result) {
  linear(x, w, bias, Activation::None, result.pre);
  gelu(result.pre, result.y);
}

void linear_backward_input(const Tensor& w, const Tensor& dy, Tensor& dx) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (dx.size() == 0) return;
  product({dy.size() / out, in, out, Order::Plain, Order::Plain, 0, Activation::None})
      ->run({{DNNL_ARG_SRC, dy.data<float>()}, {DNNL_ARG_WEIGHTS, w.data<float>()}, {DNNL_ARG_DST, dx.data<float>()}});
}

void linear_backward_weight(const Tensor& x, const Tensor& dy, Tensor& dw) {
  const int64_t out = dw.shape()[0], in = dw.shape()[1];
  if (x.size() == 0) return dw.zero();
  product({out, in, x.size() / in, Order::Transposed, Order::Plain, 0, Activation::None})
      ->run({{DNNL_ARG_SRC, dy.data<float>()}, {DNNL_ARG_WEIGHTS, x.data<float>()}, {DNNL_ARG_DST, dw.data<float>()}});
}

}  // namespace avs::cpu
