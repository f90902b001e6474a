// Whole networks: every stage and every gradient, and ten training steps.
#include "models/training/step.h"
#include "tests/parity/check/kinds.h"

namespace avs::parity {
namespace {

void store_outputs(const BackboneOutput& output, const std::string& prefix, NamedTensors& outputs) {
  outputs[prefix + "pool"] = output.pool.value();
  if (output.fc1024.defined()) outputs[prefix + "fc1024"] = output.fc1024.value();
  outputs[prefix + "logits"] = output.logits.value();
}

void store_statistics(Backbone& net, NamedTensors& outputs) {
  for (const Buffer* buffer : net.buffers()) outputs["stat/" + buffer->path] = buffer->value;
}

AdamOptions adam_of(const Json& spec) {
  AdamOptions options;
  options.epsilon = spec.at("epsilon").get<float>();
  options.placement = spec.at("placement") == "hat" ? AdamEpsilon::Hat : AdamEpsilon::Corrected;
  options.l2 = spec.at("l2").get<float>();
  return options;
}

}  // namespace

std::unique_ptr<Backbone> network_of(const Case& c) {
  std::unique_ptr<Backbone> net = make_backbone(backbone_options_from_json(c.spec.at("backbone").dump()));
  Checkpoint weights;
  for (const auto& [name, tensor] : c.inputs)
    for (const std::string prefix : {"param/", "buffer/"})
      if (name.starts_with(prefix)) weights.tensors[name.substr(prefix.size())] = tensor;
  load_parameters(*net, weights);
  return net;
}

NamedTensors run_network(const Case& c) {
  const std::unique_ptr<Backbone> net = network_of(c);
  NamedTensors outputs;
  std::string prefix = "infer/";
  net->observe([&](const std::string& stage, const Variable& y) { outputs[prefix + stage] = y.value(); });
  net->eval();
  {
    const NoGrad inference;
    store_outputs(net->run(c.input("x")), prefix, outputs);
  }
  prefix = "train/";
  net->train();
  net->random().set(c.spec.at("seed").get<uint64_t>(), c.spec.at("step").get<uint64_t>());
  const BackboneOutput trained = net->run(c.input("x"));
  store_outputs(trained, prefix, outputs);
  trained.logits.backward(c.input("dlogits"));
  for (const Parameter* p : net->parameters())
    if (p->variable.grad().defined()) outputs["grad/" + p->path] = p->variable.grad();
  store_statistics(*net, outputs);
  return outputs;
}

NamedTensors run_steps(const Case& c) {
  const std::unique_ptr<Backbone> net = network_of(c);
  ParameterArena arena(*net);
  Adam adam(arena, adam_of(c.spec.at("adam")));
  const Tensor &x = c.input("x"), &targets = c.input("targets");
  const auto steps = c.spec.at("steps").get<int64_t>();
  const int64_t batch = x.shape()[0] / steps;
  StepSettings settings;
  settings.seed = c.spec.at("seed").get<uint64_t>();
  settings.learning_rate = c.spec.at("learning_rate").get<double>();
  settings.mixup = {mixup_scheme_of(c.spec.at("mixup").get<std::string>()), c.spec.at("mixup_alpha").get<double>()};
  std::vector<float> losses;
  for (settings.step = 0; settings.step < steps; ++settings.step) {
    const int64_t first = settings.step * batch;
    const StepResult result = train_step(*net, adam, x.rows(first, batch), targets.rows(first, batch), settings);
    losses.push_back(static_cast<float>(result.loss));
  }
  NamedTensors outputs;
  outputs["loss"] = Tensor::from({steps}, std::span<const float>(losses));
  for (const Parameter* p : net->parameters()) outputs["param/" + p->path] = p->variable.value();
  store_statistics(*net, outputs);
  return outputs;
}

}  // namespace avs::parity
