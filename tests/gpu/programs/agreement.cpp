// gpu_agreement: the same training on the CPU and on a GPU. For each network some steps in f32 kernel by kernel, again,
// and as a captured graph: losses agree with the CPU's within rounding, and the three runs on the GPU with each other
// bit for bit.
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/compute_options.h"
#include "apps/cli/program.h"
#include "apps/train/captured_step.h"
#include "models/backbone.h"

namespace avs {
namespace {

struct Options {
  std::vector<std::string> models;
  int64_t steps = 10, batch = 4;
  double width = 0.125, tolerance = 1e-2;
  bool small_inputs = false;
  std::string json;
  ComputeOptions compute = {.device = "cuda"};
};

Shape input_of(const Options& options, const Backbone& net) {
  const Shape sample = net.input_shape();
  if (!options.small_inputs || net.options().model == "vis-inc")
    return {options.batch, sample[0], sample[1], sample[2]};
  return {options.batch, 32, 32, sample[2]};  // the smallest that the others take
}

struct Result {
  std::vector<double> losses;
  std::vector<float> parameters;
  double seconds = 0;
};

enum class How : uint8_t { KernelByKernel, AsGraph };

Result train(const Options& options, const std::string& model, Device device, How how) {
  const auto net = make_backbone({.model = model, .classes = 4, .width = options.width, .image_size = 96});
  net->to(device);
  ParameterArena arena(*net);
  Adam adam(arena, {});
  CapturedStep captured(*net, adam);
  const Shape shape = input_of(options, *net);
  Result result;
  for (int64_t step = 0; step < options.steps; ++step) {
    Rng rng(static_cast<uint64_t>(step) + 1);
    std::vector<float> values(static_cast<size_t>(shape.size()));
    for (float& v : values) v = static_cast<float>(shape[-1] == 3 ? rng.uniform(0, 255) : rng.normal());
    const Tensor x = Tensor::from(shape, std::span<const float>(values));
    Tensor targets = Tensor::zeros({options.batch, 4});
    for (int64_t i = 0; i < options.batch; ++i) targets.data<float>()[i * 4 + i % 4] = 1.0f;
    StepSettings settings;
    settings.step = step;
    if (how == How::AsGraph) {
      captured.start(x, targets, settings);
      result.losses.push_back(captured.finish()->loss);
    } else {
      result.losses.push_back(train_step(*net, adam, x, targets, settings).loss);
    }
  }
  result.parameters = arena.values().to_vector();
  return result;
}

double largest_difference(const Result& a, const Result& b) {
  double largest = 0;
  for (size_t i = 0; i < a.losses.size(); ++i)
    largest = std::max(largest, std::abs(a.losses[i] - b.losses[i]) / std::abs(b.losses[i]));
  return largest;
}

bool compare(const Options& options, Device gpu, nlohmann::ordered_json& all) {
  bool good = true;
  for (const std::string& model : options.models) {
    const Result cpu = train(options, model, kCpu, How::KernelByKernel);
    const Result eager = train(options, model, gpu, How::KernelByKernel);
    const Result again = train(options, model, gpu, How::KernelByKernel);
    const Result graph = train(options, model, gpu, How::AsGraph);
    const double difference = largest_difference(eager, cpu);
    const bool repeats = eager.losses == again.losses && eager.parameters == again.parameters;
    const bool as_graph = eager.losses == graph.losses && eager.parameters == graph.parameters;
    const bool agrees = difference <= options.tolerance;  // NaN does not
    std::cout << fmt::format("{:<9} {} steps: losses differ by {:.1e} at most ({}); repetition {}, graph {}\n", model,
                             options.steps, difference, agrees ? "agrees" : "WRONG",
                             repeats ? "bit-identical" : "DIFFERS", as_graph ? "bit-identical" : "DIFFERS");
    all.push_back({{"model", model},
                   {"steps", options.steps},
                   {"loss_difference", difference},
                   {"agrees", agrees},
                   {"repeats", repeats},
                   {"graph_is_eager", as_graph}});
    good = good && agrees && repeats && as_graph;
  }
  return good;
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("gpu_agreement", "Ten training steps of each network on the CPU and on a GPU.",
                       "gpu_agreement --device cuda --models vis-conv,aud-mel");
  avs::Options options;
  avs::Flags& flags = program.flags();
  flags.add("--models", options.models, "default: all five").joined_by_commas().one_of(avs::backbone_names());
  flags.add("--steps", options.steps, "training steps").within(1, 10000).shows_default();
  flags.add("--batch", options.batch, "samples a step").within(1, 4096).shows_default();
  flags.add("--width", options.width, "width of the networks").shows_default();
  flags.add("--tolerance", options.tolerance, "largest relative difference of a loss").shows_default();
  flags.add("--small-inputs", options.small_inputs, "32 x 32 where the network takes it");
  flags.add("--json", options.json, "write the figures here too");
  avs::add_compute_options(flags, options.compute);
  return program.run(argc, argv, [&] {
    if (options.models.empty()) options.models = avs::backbone_names();
    const avs::Device gpu = avs::use_device(options.compute).device;
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    const bool good = avs::compare(options, gpu, all);
    if (!options.json.empty()) std::ofstream(options.json) << all.dump(1) << '\n';
    if (!good) throw avs::DeviceError(avs::str(gpu, " trains otherwise than the CPU, or otherwise each time"));
  });
}
