#include "tensor/cpu/matmul.h"

#include "tensor/cpu/onednn.h"

namespace avs::cpu {
namespace {

using onednn::Desc;
using onednn::Primitive;
using Role = Primitive::Role;

enum class Bias : uint8_t { Absent, Present };

Desc matrix(int64_t rows, int64_t columns, Order order) {
  return onednn::strided({rows, columns}, order == Order::Plain ? onednn::Dims{columns, 1} : onednn::Dims{1, rows});
}

dnnl::post_ops post_ops_of(const MatMul& p) {
  dnnl::post_ops after;
  if (p.into == Into::Added) after.append_sum(1.0f);
  if (p.activation == Activation::Relu) after.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  if (p.activation == Activation::Gelu) after.append_eltwise(dnnl::algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
  return after;
}

std::shared_ptr<const Primitive> primitive_of(const MatMul& p, Bias bias) {
  const int64_t variant = static_cast<int64_t>(p.a) | static_cast<int64_t>(p.b) << 1 | static_cast<int64_t>(bias) << 2 |
                          static_cast<int64_t>(p.into) << 3 | static_cast<int64_t>(p.activation) << 4;
  return onednn::cached(
      "matmul", {static_cast<int64_t>(onednn::Kind::MatMul), p.m, p.n, p.k, p.c_stride, variant}, [&] {
        dnnl::primitive_attr attr = onednn::attributes();
        attr.set_post_ops(post_ops_of(p));
        const Desc a = matrix(p.m, p.k, p.a), b = matrix(p.k, p.n, p.b);
        const Desc c = onednn::strided({p.m, p.n}, {p.c_stride == 0 ? p.n : p.c_stride, 1});
        const Desc shift = bias == Bias::Present ? onednn::strided({1, p.n}, {p.n, 1}) : Desc();
        const dnnl::matmul::primitive_desc description(onednn::engine(), a, b, shift, c, attr);
        std::vector<Primitive::Operand> operands = {
            {DNNL_ARG_SRC, Role::Input, a}, {DNNL_ARG_WEIGHTS, Role::Input, b}, {DNNL_ARG_DST, Role::Output, c}};
        if (bias == Bias::Present) operands.push_back({DNNL_ARG_BIAS, Role::Input, shift});
        return Primitive(description, dnnl::matmul(description), std::move(operands));
      });
}

}  // namespace

void matmul(const MatMul& product, const float* a, const float* b, const float* bias, float* c) {
  const auto primitive = primitive_of(product, bias == nullptr ? Bias::Absent : Bias::Present);
  if (bias == nullptr)
    primitive->run({{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
  else
    primitive->run({{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, c}});
}

}  // namespace avs::cpu
