// gpu_plans: computes every convolution of the networks on a GPU by cuDNN and by our own kernels, from the same inputs.
//
//   gpu_plans [--device cuda:0] [--batch 8] [--models vis-inc] [--dtypes f32,bf16,f16] [--json FILE]
//
// Prints for each network and type the number of graphs, the number with a cuDNN engine, and the largest relative
// difference |cuDNN - own| / |own| (Euclidean norms). Exit 1 above 1e-4 in f32, 8e-3 in bf16, 1e-3 in f16: both sum in
// f32, in a different order, and round the result once.
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/compute_options.h"
#include "apps/cli/program.h"
#include "cuda/api.h"
#include "cuda/conv2d.h"
#include "models/backbone.h"
#include "tensor/ops/cast.h"
#include "tensor/rng.h"
#include "tests/cudnn/convolutions.h"

namespace avs {
namespace {

using cuda::cudnn::ConvGraph;
using cuda::cudnn::Direction;

struct Options {
  std::vector<std::string> models, dtypes;
  int64_t batch = 8;
  std::string json;
  ComputeOptions compute = {.device = "cuda"};
};

Tensor random_tensor(const Shape& shape, DType dtype, Device device, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(shape.size()));
  for (float& v : values) v = static_cast<float>(rng.uniform(-1, 1));
  return ops::cast(Tensor::from(shape, std::span<const float>(values), device), dtype);
}

// Calls compute(x or w, w or dy, bias, result) of one of the two libraries; returns false if it has no engine.
bool by_cudnn(const ConvGraph& g, const Tensor& first, const Tensor& second, const Tensor& bias, Tensor& result) {
  const Activation activation = g.relu ? Activation::Relu : Activation::None;
  if (g.direction == Direction::Forward) return cuda::cudnn::conv2d(first, second, bias, g.spec, activation, result);
  if (g.direction == Direction::BackwardInput) return cuda::cudnn::conv2d_backward_input(first, second, g.spec, result);
  return cuda::cudnn::conv2d_backward_filter(first, second, g.spec, result);
}
void by_our_own(const ConvGraph& g, const Tensor& first, const Tensor& second, const Tensor& bias, Tensor& result) {
  const Activation activation = g.relu ? Activation::Relu : Activation::None;
  if (g.direction == Direction::Forward) return cuda::own::conv2d(first, second, bias, g.spec, activation, result);
  if (g.direction == Direction::BackwardInput) return cuda::own::conv2d_backward_input(first, second, g.spec, result);
  cuda::own::conv2d_backward_filter(first, second, g.spec, result);
}

double relative_difference(const Tensor& a, const Tensor& b) {
  const std::vector<float> left = ops::cast(a, DType::F32).to_vector(), right = ops::cast(b, DType::F32).to_vector();
  double difference = 0, norm = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    difference += std::pow(double{left[i]} - right[i], 2);
    norm += std::pow(double{right[i]}, 2);
  }
  return std::sqrt(difference / norm);  // NaN if either has one
}

// Returns nullopt if cuDNN has no engine for this graph.
std::optional<double> difference_of(const ConvGraph& g, Device device) {
  const bool forward = g.direction == Direction::Forward, to_input = g.direction == Direction::BackwardInput;
  const Tensor first = random_tensor(to_input ? g.w : g.x, g.dtype, device, 1);
  const Tensor second = random_tensor(forward ? g.w : g.y, g.dtype, device, 2);
  const Tensor bias = g.bias ? random_tensor({g.w[0]}, g.dtype, device, 3) : Tensor();
  const Shape& shape = forward ? g.y : to_input ? g.x : g.w;
  Tensor theirs = Tensor::empty(shape, g.dtype, device), ours = Tensor::empty(shape, g.dtype, device);
  if (!by_cudnn(g, first, second, bias, theirs)) return std::nullopt;
  by_our_own(g, first, second, bias, ours);
  return relative_difference(theirs, ours);
}

bool compare(const std::string& model, DType dtype, int64_t batch, Device device, nlohmann::ordered_json& all) {
  const double allowed = dtype == DType::F32 ? 1e-4 : dtype == DType::BF16 ? 8e-3 : 1e-3;
  int64_t graphs = 0, served = 0;
  double largest = 0;
  bool good = true;
  std::string worst = "none";
  for (ConvGraph g : convolutions_of(model)) {
    g.dtype = dtype;
    for (Shape* shape : {&g.x, &g.y}) *shape = {batch, (*shape)[1], (*shape)[2], (*shape)[3]};
    ++graphs;
    const std::optional<double> difference = difference_of(g, device);
    if (!difference) continue;
    ++served;
    if (!(*difference <= allowed)) {
      good = false;
      std::cout << fmt::format("WRONG: {} differs by {:.1e}, allowed {:.1e}\n", text_of(g), *difference, allowed);
    }
    if (!(*difference <= largest)) {
      largest = *difference;
      worst = text_of(g);
    }
  }
  std::cout << fmt::format("{:<9} {:<4} {} graphs, {} by cuDNN: differ by {:.1e} at most\n", model, str(dtype), graphs,
                           served, largest)
            << std::flush;
  all.push_back({{"model", model},
                 {"dtype", str(dtype)},
                 {"graphs", graphs},
                 {"by_cudnn", served},
                 {"largest_difference", largest},
                 {"worst", worst}});
  return good;
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("gpu_plans", "Every convolution of the networks by cuDNN and by our own kernels.",
                       "gpu_plans --device cuda --models vis-inc --dtypes bf16");
  avs::Options options;
  avs::Flags& flags = program.flags();
  flags.add("--models", options.models, "default: vis-inc, vis-conv, aud-mel")
      .joined_by_commas()
      .one_of(avs::backbone_names());
  flags.add("--dtypes", options.dtypes, "default: f32,bf16,f16, as far as the GPU has them")
      .joined_by_commas()
      .one_of({"f32", "bf16", "f16"});
  flags.add("--batch", options.batch, "samples in each convolution").within(1, 4096).shows_default();
  flags.add("--json", options.json, "write the figures here too");
  avs::add_compute_options(flags, options.compute);
  return program.run(argc, argv, [&] {
    if (options.models.empty()) options.models = {"vis-inc", "vis-conv", "aud-mel"};
    if (options.dtypes.empty()) options.dtypes = {"f32", "bf16", "f16"};
    const avs::Device gpu = avs::use_device(options.compute).device;
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    bool good = true;
    for (const std::string& model : options.models)
      for (const std::string& name : options.dtypes) {
        if (name == "bf16" && avs::cuda::compute_capability(gpu) < 80) continue;
        const avs::DType dtype = name == "f32" ? avs::DType::F32 : name == "bf16" ? avs::DType::BF16 : avs::DType::F16;
        good = avs::compare(model, dtype, options.batch, gpu, all) && good;
      }
    if (!options.json.empty()) std::ofstream(options.json) << all.dump(1) << '\n';
    if (!good) throw avs::DeviceError("cuDNN and our own kernels differ");
  });
}
