// Every function of autograd/functions.h, called by name.
#include <functional>

#include "autograd/functions.h"
#include "tensor/ops/cast.h"
#include "tensor/ops/mixup.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/softmax.h"
#include "tests/parity/check/kinds.h"

namespace avs::parity {
namespace {

// The case's inputs as Variables with gradients, each made at its first use.
class Inputs {
 public:
  explicit Inputs(const Case& c) : case_(c) {}

  const Variable& operator()(const std::string& name) {
    Variable& v = variables_[name];
    if (!v.defined()) v = Variable(case_.input(name), true);
    return v;
  }
  Variable optional(const std::string& name) { return holds(name) ? (*this)(name) : Variable(); }
  std::vector<Variable> numbered(const std::string& prefix) {
    std::vector<Variable> all;
    while (case_.inputs.contains(str(prefix, all.size()))) all.push_back((*this)(str(prefix, all.size())));
    return all;
  }
  bool holds(const std::string& name) const { return case_.inputs.contains(name); }
  const Tensor& fixed(const std::string& name) const { return case_.input(name); }

  const Json& spec() const { return case_.spec; }
  float number(const char* key) const { return case_.spec.at(key).get<float>(); }
  bool is(const char* key, const char* value) const { return case_.spec.value(key, "") == value; }
  const std::map<std::string, Variable>& all() const { return variables_; }

  NamedTensors outputs;  // in addition to y and the gradients

 private:
  const Case& case_;
  std::map<std::string, Variable> variables_;
};

using Op = std::function<Variable(Inputs&)>;
using Ops = std::map<std::string, Op>;

Padding padding_of(const Inputs& in) {
  const auto p = in.spec().value("padding", std::vector<int64_t>{0, 0, 0, 0});
  return {p.at(0), p.at(1), p.at(2), p.at(3)};  // top, bottom, left, right
}

std::vector<int64_t> pair_of(const Inputs& in, const char* key) {
  return in.spec().value(key, std::vector<int64_t>{1, 1});
}

Conv2dSpec conv_of(const Inputs& in) {
  const auto stride = pair_of(in, "stride");
  return {stride[0], stride[1], padding_of(in)};
}

Pool2dSpec pool_of(const Inputs& in) {
  const auto window = pair_of(in, "window"), stride = pair_of(in, "stride");
  return {window[0], window[1], stride[0], stride[1], padding_of(in)};
}

Activation activation_of(const Inputs& in) { return in.is("activation", "relu") ? Activation::Relu : Activation::None; }

BatchNormSpec batch_norm_of(const Inputs& in, Moments moments) {
  return {.epsilon = in.number("epsilon"),
          .new_value_weight = in.spec().value("new_value_weight", 0.01f),
          .activation = activation_of(in),
          .moments = moments};
}

Variable run_batch_norm(Inputs& in) {
  Tensor mean = in.fixed("mean").clone(), variance = in.fixed("variance").clone();
  const Variable y = batch_norm({in("x")}, in.optional("gamma"), in("beta"), in.optional("residual"), {mean, variance},
                                batch_norm_of(in, Moments::OfBatch));
  in.outputs = {{"mean", mean}, {"variance", variance}};
  return y;
}

// Each to its slice of one tensor; an x without beta is copied there.
Variable run_concat_batch_norms(Inputs& in) {
  const std::vector<Variable> x = in.numbered("x");
  int64_t first = 0;
  for (const Variable& part : x) first += part.shape()[-1];
  const Tensor y = Tensor::empty(x[0].shape().with(-1, first));
  std::vector<Variable> slices;
  first = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t c = x[i].shape()[-1];
    const ChannelSlice place(y, first, c);
    const Variable beta = in.optional(str("beta", i));
    const bool is_running = in.holds(str("mean", i));
    const RunningMoments running = is_running ? RunningMoments{in.fixed(str("mean", i)), in.fixed(str("variance", i))}
                                              : RunningMoments{Tensor::zeros({c}), Tensor::zeros({c})};
    slices.push_back(beta.defined() ? batch_norm({x[i]}, in.optional(str("gamma", i)), beta, {}, running,
                                                 batch_norm_of(in, is_running ? Moments::Running : Moments::OfBatch),
                                                 std::vector{place})[0]
                                    : write_channels(x[i], place));
    first += c;
  }
  return join(slices);
}

const Ops& convolutions_and_norms() {
  static const Ops ops = {
      {"conv2d", [](Inputs& in) { return conv2d(in("x"), in("w"), in.optional("bias"), conv_of(in)); }},
      {"depthwise_conv2d",
       [](Inputs& in) { return depthwise_conv2d(in("x"), in("w"), in.optional("bias"), padding_of(in)); }},
      {"depthwise_layer_norm",
       [](Inputs& in) {
         return depthwise_layer_norm(in("x"), in("w"), in("conv_bias"), in("gain"), in("bias"), padding_of(in),
                                     in.number("epsilon"));
       }},
      {"linear", [](Inputs& in) { return linear(in("x"), in("w"), in.optional("bias")); }},
      {"linear_gelu", [](Inputs& in) { return linear_gelu(in("x"), in("w"), in("bias")); }},
      {"mlp", [](Inputs& in) { return mlp(in("x"), in("w1"), in("bias1"), in("w2"), in("bias2")); }},
      {"batch_norm", run_batch_norm},
      {"concat_batch_norms", run_concat_batch_norms},
      {"batch_norm_inference",
       [](Inputs& in) {
         return batch_norm({in("x")}, in.optional("gamma"), in("beta"), in.optional("residual"),
                           {in.fixed("mean"), in.fixed("variance")}, batch_norm_of(in, Moments::Running));
       }},
      {"layer_norm", [](Inputs& in) { return layer_norm(in("x"), in("gain"), in("bias"), in.number("epsilon")); }},
  };
  return ops;
}

const Ops& element_wise_and_shapes() {
  static const Ops ops = {
      {"relu", [](Inputs& in) { return relu(in("x")); }},
      {"gelu", [](Inputs& in) { return gelu(in("x")); }},
      {"add", [](Inputs& in) { return add(in("a"), in("b")); }},
      {"dropout",
       [](Inputs& in) {
         return dropout(in("x"), in.number("rate"), in.fixed("state"), in.spec().at("stream").get<uint32_t>());
       }},
      {"scale_channels", [](Inputs& in) { return scale_channels(in("x"), in("gain")); }},
      {"scale_residual", [](Inputs& in) { return scale_residual(in("x"), in("gain"), in("residual")); }},
      {"max_pool2d", [](Inputs& in) { return max_pool2d(in("x"), pool_of(in)); }},
      {"avg_pool2d",
       [](Inputs& in) {
         return avg_pool2d(in("x"), pool_of(in),
                           in.is("counting", "counted") ? PoolPadding::Counted : PoolPadding::Ignored);
       }},
      {"cast",
       [](Inputs& in) { return cast(cast(in("x"), in.is("to", "f16") ? DType::F16 : DType::BF16), DType::F32); }},
      {"global_avg_pool", [](Inputs& in) { return global_avg_pool(in("x")); }},
      {"concat", [](Inputs& in) { return concat(in.numbered("x")); }},
      {"weighted_sum",
       [](Inputs& in) { return weighted_sum(in.numbered("x"), in.numbered("w"), in("bias"), activation_of(in)); }},
  };
  return ops;
}

const Ops& losses_and_sums() {
  static const Ops ops = {
      {"softmax_kl", [](Inputs& in) { return softmax_kl(in("x"), in.fixed("targets"), in.number("clip")); }},
      // These ops have no gradient of their own.
      {"softmax", [](Inputs& in) { return Variable(ops::softmax(in.fixed("x"))); }},
      {"mixup",
       [](Inputs& in) {
         return Variable(ops::mixup(in.fixed("x"), {in.fixed("first"), in.fixed("second"), in.fixed("lambda")}));
       }},
      {"sum_rows", [](Inputs& in) { return Variable(ops::sum_rows(in.fixed("x"))); }},
      {"sum_squares", [](Inputs& in) { return Variable(ops::sum_squares(in.fixed("x"))); }},
  };
  return ops;
}

const Op& op_of(const std::string& name) {
  for (const Ops* ops : {&convolutions_and_norms(), &element_wise_and_shapes(), &losses_and_sums()})
    if (const auto found = ops->find(name); found != ops->end()) return found->second;
  throw DataError(str("there is no op '", name, "' to compare"));
}

}  // namespace

NamedTensors run_op(const Case& c) {
  Inputs in(c);
  const Variable y = op_of(c.spec.at("op").get<std::string>())(in);
  NamedTensors outputs = std::move(in.outputs);
  outputs["y"] = y.value();
  if (!y.requires_grad()) return outputs;
  y.backward(c.input("dy"));
  for (const auto& [name, variable] : in.all())
    if (variable.grad().defined()) outputs["d_" + name] = variable.grad();
  return outputs;
}

}  // namespace avs::parity
