#include "apps/cli/compute_options.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "cuda/api.h"
#include "tensor/context.h"
#include "tensor/error.h"
#include "tensor/parallel.h"

namespace avs {
namespace {

constexpr Device kFirstGpu{Device::Kind::Cuda, 0};

Device choose_device(const std::string& asked, int threads) {
  if (asked == "cuda") {
    if (!cuda::available()) throw DeviceError("--device cuda: " + cuda::why_unavailable());
    return kFirstGpu;
  }
  if (asked == "auto" && cuda::available()) {
    spdlog::info("device: {} (the first GPU; --device cpu for the CPU)", str(kFirstGpu));
    return kFirstGpu;
  }
  spdlog::info("device: cpu, {} threads{}", threads, asked == "auto" ? " (" + cuda::why_unavailable() + ")" : "");
  return kCpu;
}

}  // namespace

void add_compute_options(CLI::App& app, ComputeOptions& options) {
  app.add_option("--device", options.device, "auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--dtype", options.dtype, "auto, f32, bf16 or f16; the CPU computes in f32")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "f16"}))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "threads of the computation; 0: one per core")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_option("--memory-limit", options.memory_limit_bytes, "most memory for tensors, such as 4GB; 0: no limit")
      ->transform(CLI::AsSizeValue(false));
}

Device use_device(const ComputeOptions& options) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = options.threads == 0 ? cores : options.threads;
  set_thread_count(threads);
  const Device device = choose_device(options.device, threads);
  if (!device.is_cuda() && (options.dtype == "bf16" || options.dtype == "f16"))
    throw UsageError("--dtype " + options.dtype + ": the CPU computes in f32; leave --dtype out or give f32");
  if (options.memory_limit_bytes != 0) context(device).set_memory_limit(options.memory_limit_bytes);
  return device;
}

}  // namespace avs
