// One training step and one inference of each backbone: full width, no data loading, real time per step.
//
//   train/MODEL/BATCH   forward, softmax + KL, backward, Adam      infer/MODEL/BATCH   nothing recorded, BatchNorm
//   folded
//
//   step_bench [--threads 2] [--width 1] [--benchmark_filter=train/vis-inc]    two threads unless said otherwise
//   step_bench --device cuda:0 [--dtype bf16]                      batches of 16 and 128, steps as captured graphs, in
//   the
//                                                                  GPU's default type, copies beside them as in
//                                                                  training
//   AVS_PROFILE=ops step_bench …                                   adds a table of time per function on stderr
//
// Counters: samples/s, and the most memory the arena had handed out at once during the steps (peak_MB).
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>

#include "autograd/profile.h"
#include "bench/bench.h"
#include "cuda/api.h"
#include "layers/optim/adam.h"
#include "models/backbone.h"
#include "models/training/captured_step.h"
#include "models/training/inference.h"
#include "models/training/placement.h"
#include "tensor/parallel.h"

namespace avs {
namespace {

double width = 1.0;

Placement& placement() {  // everything here runs there
  static Placement chosen;
  return chosen;
}

// Spectrograms are standard normal, frames spread over 0..255: never zeros. For a GPU frames are pixels, as a loader
// has them.
Tensor random_batch(const Backbone& backbone, int64_t batch) {
  const Shape sample = backbone.input_shape();
  Tensor x = bench::random_tensor({batch, sample[0], sample[1], sample[2]});
  if (backbone.modality() == Modality::Frames) {
    float* const pixels = x.data<float>();
    for (int64_t i = 0; i < x.size(); ++i) pixels[i] = std::clamp(127.5f + 60.0f * pixels[i], 0.0f, 255.0f);
    if (placement().device.is_cuda()) {
      const std::vector<uint8_t> whole(pixels, pixels + x.size());
      return Tensor::from(x.shape(), std::span<const uint8_t>(whole));
    }
  }
  return x;
}

Tensor random_targets(int64_t batch, int64_t classes) {
  std::vector<float> values(static_cast<size_t>(batch * classes), 0.0f);
  for (int64_t i = 0; i < batch; ++i) {  // two classes a row, like mixup's
    values[static_cast<size_t>(i * classes + i % classes)] += 0.7f;
    values[static_cast<size_t>(i * classes + (i + 3) % classes)] += 0.3f;
  }
  return Tensor::from({batch, classes}, std::span<const float>(values));
}

void report(benchmark::State& state, int64_t batch, double seconds) {
  state.counters["samples/s"] = static_cast<double>(state.iterations() * batch) / seconds;
  state.counters["peak_MB"] = static_cast<double>(context(placement().device).memory().peak_bytes) / 1e6;
  if (profile::on()) std::cerr << profile::table(state.iterations());
}

// Training's order: a step begins before the result of the one before is read, while its batch is
// copied. The batch already has mixup's rows, so none is mixed in.
void train_as_graph(benchmark::State& state, const std::string& model, int64_t batch) {
  const auto backbone = make_backbone({.model = model, .width = width});
  place(*backbone, placement());
  ParameterArena arena(*backbone);
  Adam adam(arena, {});
  CapturedStep captured(*backbone, adam);
  const Tensor x = random_batch(*backbone, batch), targets = random_targets(batch, 10);  // a loader's, on the host
  StepSettings settings;
  settings.mixup.scheme = MixupScheme::None;
  const auto step = [&] {
    ++settings.step;
    return captured.start(x, targets, settings);
  };
  for (int warm_up = 0; warm_up < 3; ++warm_up) step();
  context(placement().device).reset_peak();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(step());
  report(state, batch, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  while (captured.finish()) {
  }
}

void train(benchmark::State& state, const std::string& model, int64_t batch) {
  if (placement().device.is_cuda()) return train_as_graph(state, model, batch);
  const auto backbone = make_backbone({.model = model, .width = width});
  ParameterArena arena(*backbone);
  Adam adam(arena, {});
  const Tensor x = random_batch(*backbone, batch), targets = random_targets(batch, 10);
  StepSettings settings;
  settings.mixup.scheme = MixupScheme::None;
  const auto step = [&] {
    ++settings.step;
    return train_step(*backbone, adam, x, targets, settings);
  };
  step();  // compiles primitives and touches fresh memory
  context(kCpu).reset_peak();
  profile::restart();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(step());
  report(state, batch, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

// extract_embeddings does the same: on a GPU batches after the second replay a graph.
void infer(benchmark::State& state, const std::string& model, int64_t batch) {
  const auto backbone = make_backbone({.model = model, .width = width});
  place(*backbone, placement());
  const Tensor x = random_batch(*backbone, batch);
  Inference inference(*backbone);
  const auto step = [&] { return inference.run(x).logits.to_vector(); };
  for (int warm_up = 0; warm_up < 3; ++warm_up) step();
  context(placement().device).reset_peak();
  profile::restart();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(step());
  report(state, batch, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

void register_all() {
  for (const std::string& model : backbone_names()) {
    const int64_t batch = is_sound(modality_of(model)) ? 8 : 16;
    const auto add = [&](const char* what, int64_t n, auto work) {
      const auto guarded = [=](benchmark::State& state) {
        try {
          work(state, model, n);
        } catch (const OutOfMemory& error) {
          state.SkipWithError(error.what());
        }
      };
      benchmark::RegisterBenchmark(str(what, "/", model, "/", n).c_str(), guarded)
          ->Unit(benchmark::kMillisecond);  // the column "Time" is real time
    };
    const bool on_gpu = placement().device.is_cuda();
    for (const int64_t n : on_gpu ? std::vector<int64_t>{16, 128} : std::vector<int64_t>{batch}) {
      add("train", n, train);
      add("infer", n, infer);
    }
    add("infer", 1, infer);
  }
}

// Takes "--NAME VALUE" or "--NAME=VALUE" out of the arguments.
std::string take(const std::string& name, std::string value, int& argc, char** argv) {
  const std::string flag = "--" + name;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == flag && i + 1 < argc)
      value = argv[++i];
    else if (argument.starts_with(flag + "="))
      value = argument.substr(flag.size() + 1);
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  return value;
}

void place_everything(int& argc, char** argv) {
  const std::string threads = std::getenv("OMP_NUM_THREADS") != nullptr ? str(thread_count()) : "2";
  set_thread_count(std::atoi(take("threads", threads, argc, argv).c_str()));
  const std::string device = take("device", "cpu", argc, argv), dtype = take("dtype", "auto", argc, argv);
  if (device == "cpu") return;
  const std::map<std::string, DType> dtypes = {{"f32", DType::F32}, {"bf16", DType::BF16}, {"f16", DType::F16}};
  AVS_CHECK(UsageError, device.starts_with("cuda") && (dtype == "auto" || dtypes.contains(dtype)), "--device ", device,
            " --dtype ", dtype, ": expected cpu, cuda or cuda:N and auto, f32, bf16 or f16");
  AVS_CHECK(DeviceError, cuda::available(), "--device ", device, ": ", cuda::why_unavailable());
  const Device gpu{Device::Kind::Cuda, device.size() > 5 ? std::stoi(device.substr(5)) : 0};
  const DType widest = cuda::compute_capability(gpu) >= 80 ? DType::BF16 : DType::F16;
  placement() = {gpu, dtype == "auto" ? widest : dtypes.at(dtype)};
  std::cerr << "device: " << cuda::description(gpu) << ", " << placement().dtype << ", " << cuda::libraries() << '\n';
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  try {
    avs::width = std::stod(avs::take("width", "1", argc, argv));
    avs::place_everything(argc, argv);
    avs::register_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "step_bench: " << error.what() << '\n';
    return 1;
  }
}
