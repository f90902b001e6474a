// gpu_agreement: compares the CPU and a GPU. Each network takes some training steps kernel by kernel, a second time,
// and as a captured graph. Losses agree with the CPU's (in f32) within rounding, and the three runs on the GPU agree
// with each other bit for bit; in f32, and in bf16 and f16 with the GPU's defaults. It also compares the spectrograms
// of a clip of noise.
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/compute_options.h"
#include "apps/cli/program.h"
#include "audio/features.h"
#include "cuda/api.h"
#include "models/backbone.h"
#include "models/training/captured_step.h"

namespace avs {
namespace {

struct Options {
  std::vector<std::string> models;
  int64_t steps = 10, batch = 4;
  std::vector<std::string> dtypes;
  double width = 0.125, tolerance = 1e-2;
  bool small_inputs = false, no_spectrograms = false;
  std::string json;
  ComputeOptions compute = {.device = "cuda"};
};

Shape input_of(const Options& options, const Backbone& net) {
  const Shape sample = net.input_shape();
  if (!options.small_inputs || net.options().model == "vis-inc")
    return {options.batch, sample[0], sample[1], sample[2]};
  return {options.batch, 32, 32, sample[2]};  // the smallest size that the other networks accept
}

struct Result {
  std::vector<double> losses;
  std::vector<float> parameters;
  double seconds = 0;
};

enum class How : uint8_t { KernelByKernel, AsGraph };

Result train(const Options& options, const std::string& model, Device device, How how, DType dtype = DType::F32) {
  const auto net = make_backbone({.model = model, .classes = 4, .width = options.width, .image_size = 96});
  net->to(device);
  net->compute_in(dtype);
  ParameterArena arena(*net);
  Adam adam(arena, {});
  if (dtype == DType::F16) adam.scale_losses();
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

// Over the losses of the first `steps` steps; NaN if one of them is.
double largest_difference(const Result& a, const Result& b, size_t steps) {
  double largest = 0;
  for (size_t i = 0; i < steps; ++i) {
    const double difference = std::abs(a.losses[i] - b.losses[i]) / std::abs(b.losses[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}

bool compare(const Options& options, const std::string& model, DType dtype, const Result& cpu, Device gpu,
             nlohmann::ordered_json& all) {
  // In bf16 and f16 only the first loss is compared: later ones diverge, because the last BatchNorms of a
  // small network normalise over the four values of a batch. Those must be finite.
  constexpr double kShortTolerance = 0.02;
  const Result eager = train(options, model, gpu, How::KernelByKernel, dtype);
  const Result again = train(options, model, gpu, How::KernelByKernel, dtype);
  const Result graph = train(options, model, gpu, How::AsGraph, dtype);
  const double difference = largest_difference(eager, cpu, eager.losses.size()),
               first = largest_difference(eager, cpu, 1);
  const bool repeats = eager.losses == again.losses && eager.parameters == again.parameters;
  const bool as_graph = eager.losses == graph.losses && eager.parameters == graph.parameters;
  const bool agrees = dtype == DType::F32 ? difference <= options.tolerance  // false for NaN
                                          : first <= kShortTolerance && std::isfinite(difference);
  std::cout << fmt::format(
      "{:<9} {:<4} {} steps: losses differ by {:.1e} at first, {:.1e} at most ({}); repetition {}, graph {}\n", model,
      str(dtype), options.steps, first, difference, agrees ? "agrees" : "WRONG", repeats ? "bit-identical" : "DIFFERS",
      as_graph ? "bit-identical" : "DIFFERS");
  all.push_back({{"model", model},
                 {"dtype", str(dtype)},
                 {"steps", options.steps},
                 {"first_loss_difference", first},
                 {"loss_difference", difference},
                 {"agrees", agrees},
                 {"repeats", repeats},
                 {"graph_is_eager", as_graph}});
  return agrees && repeats && as_graph;
}

bool compare_all(const Options& options, Device gpu, nlohmann::ordered_json& all) {
  bool good = true;
  for (const std::string& model : options.models) {
    const Result cpu = train(options, model, kCpu, How::KernelByKernel);
    for (const std::string& name : options.dtypes) {
      if (name == "bf16" && cuda::compute_capability(gpu) < 80) continue;
      const DType dtype = name == "f32" ? DType::F32 : name == "bf16" ? DType::BF16 : DType::F16;
      good = compare(options, model, dtype, cpu, gpu, all) && good;
    }
  }
  return good;
}

// Before the log, on ten seconds of noise.
bool compare_spectrograms(Device gpu) {
  constexpr double kTolerance = 1e-5;
  Waveform clip{.sample_rate_hz = kSampleRateHz, .channels = 2, .samples = {}};
  Rng rng(5);
  for (int64_t i = 0; i < 2 * kClipSamples; ++i) clip.samples.push_back(static_cast<float>(0.2 * rng.normal()));
  bool good = true;
  for (const SpectrogramKind kind : {SpectrogramKind::Mel, SpectrogramKind::Gam, SpectrogramKind::Cqt}) {
    const std::vector<float> here = FeatureExtractor()(clip, kind, Stage::Power).to_vector(),
                             there = FeatureExtractor(CqtRange::FullBand, gpu)(clip, kind, Stage::Power).to_vector();
    double difference = 0, norm = 0;
    for (size_t i = 0; i < here.size(); ++i) {
      difference += std::pow(double{there[i]} - here[i], 2);
      norm += std::pow(double{here[i]}, 2);
    }
    const double error = std::sqrt(difference / norm);
    std::cout << fmt::format("{} of a clip: differs by {:.1e} ({})\n", name_of(kind), error,
                             error <= kTolerance ? "agrees" : "WRONG");
    good = good && error <= kTolerance;
  }
  return good;
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("gpu_agreement",
                       "Ten training steps of each network, and spectrograms, on the CPU and on a GPU.",
                       "gpu_agreement --device cuda --models vis-conv,aud-mel");
  avs::Options options;
  avs::Flags& flags = program.flags();
  flags.add("--models", options.models, "default: aud-mel, vis-inc, vis-conv")
      .joined_by_commas()
      .one_of(avs::backbone_names());
  flags.add("--dtypes", options.dtypes, "default: f32,bf16,f16, as far as the GPU has them")
      .joined_by_commas()
      .one_of({"f32", "bf16", "f16"});
  flags.add("--no-spectrograms", options.no_spectrograms, "networks only");
  flags.add("--steps", options.steps, "training steps").within(1, 10000).shows_default();
  flags.add("--batch", options.batch, "samples a step").within(1, 4096).shows_default();
  flags.add("--width", options.width, "width of the networks").shows_default();
  flags.add("--tolerance", options.tolerance, "largest relative difference of a loss").shows_default();
  flags.add("--small-inputs", options.small_inputs, "32 x 32 where the network takes it");
  flags.add("--json", options.json, "write the figures here too");
  avs::add_compute_options(flags, options.compute);
  return program.run(argc, argv, [&] {
    if (options.models.empty())
      options.models = {"aud-mel", "vis-inc", "vis-conv"};  // the other two have aud-mel's network
    if (options.dtypes.empty()) options.dtypes = {"f32", "bf16", "f16"};
    const avs::Device gpu = avs::use_device(options.compute).device;
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    const bool spectrograms = options.no_spectrograms || avs::compare_spectrograms(gpu);
    const bool good = avs::compare_all(options, gpu, all) && spectrograms;
    if (!options.json.empty()) std::ofstream(options.json) << all.dump(1) << '\n';
    if (!good) throw avs::DeviceError(avs::str(gpu, " computes otherwise than the CPU, or otherwise each time"));
  });
}
