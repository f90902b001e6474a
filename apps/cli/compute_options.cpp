#include "apps/cli/compute_options.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "cuda/api.h"
#include "tensor/context.h"
#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace avs {
namespace {

// The device of "cuda" or "cuda:2"; nullopt for auto and cpu.
std::optional<Device> gpu_named(const std::string& asked) {
  if (!asked.starts_with("cuda")) return std::nullopt;
  return Device{Device::Kind::Cuda, asked.size() > 5 ? std::stoi(asked.substr(5)) : 0};
}

// Throws if there is no such GPU, if its memory is full, or if no kernels were compiled for it.
void try_out(Device gpu) {
  context(gpu);
  Tensor::full({1}, 1.0f, gpu).item();
}

struct Choice {
  Device device = kCpu;
  std::string why_not_a_gpu;  // set if auto chose the CPU
};

Choice choose_device(const std::string& flag, const std::string& asked) {
  if (const std::optional<Device> gpu = gpu_named(asked)) {
    if (!cuda::available())
      throw DeviceError(str(flag, " ", asked, ": ", cuda::why_unavailable(), "; ", flag, " cpu works"));
    try_out(*gpu);
    return {*gpu, {}};
  }
  if (asked != "auto") return {};
  if (!cuda::available()) return {kCpu, cuda::why_unavailable()};
  try {
    const Device first{Device::Kind::Cuda, 0};
    try_out(first);
    return {first, {}};
  } catch (const Error& error) {
    return {kCpu, error.what()};
  }
}

}  // namespace

DType dtype_for(const std::string& asked, Device device, int compute_capability) {
  if (!device.is_cuda()) {
    if (asked == "bf16" || asked == "f16")
      throw UsageError("--dtype " + asked + ": the CPU computes in f32; leave --dtype out or give f32");
    return DType::F32;
  }
  if (asked == "bf16" && compute_capability < 80)
    throw UsageError(str("--dtype bf16: ", device, " has compute capability ", compute_capability / 10, ".",
                         compute_capability % 10, ", bf16 needs 8.0; --dtype f16 and f32 work"));
  if (asked == "f32") return DType::F32;
  if (asked == "f16") return DType::F16;
  return compute_capability >= 80 ? DType::BF16 : DType::F16;
}

std::string check_device_name(const std::string& name) {
  const bool numbered = name.starts_with("cuda:") && name.size() > 5 && name.size() < 8 &&
                        name.find_first_not_of("0123456789", 5) == std::string::npos;
  if (numbered || name == "auto" || name == "cpu" || name == "cuda") return {};
  return "'" + name + "' is no device: auto, cpu, cuda or cuda:N";
}

void add_compute_options(Flags& flags, ComputeOptions& options) {
  flags.add("--device", options.device, "where to compute; auto: the first GPU, else the CPU")
      .checked_by(check_device_name, "auto, cpu, cuda, cuda:N")
      .shows_default();
  flags.add("--dtype", options.dtype, "auto, f32, bf16 or f16; the CPU computes in f32")
      .one_of({"auto", "f32", "bf16", "f16"})
      .shows_default();
  flags.add("--threads", options.threads, "threads of the computation; 0: one per core")
      .within(0, 1024)
      .shows_default();
  flags.add("--memory-limit", options.memory_limit_bytes, "most memory for tensors, such as 4GB; 0: no limit")
      .takes_units();
  flags.add("--deterministic", options.deterministic, kDeterministicHelp);
  flags.add("--fast", options.fast, kFastHelp);
  flags.add("--tf32", options.tf32, kTf32Help);
}

void add_features_option(Flags& flags, std::string& device) {
  flags.add("--features-on", device, "where spectrograms are made; auto: the first GPU, else the CPU")
      .checked_by(check_device_name, "auto, cpu, cuda, cuda:N")
      .shows_default();
}

Device features_device(const std::string& asked) {
  const Device device = choose_device("--features-on", asked).device;
  if (device.is_cuda()) spdlog::info("spectrograms: {}", cuda::description(device));
  return device;
}

void add_decoder_option(Flags& flags, std::string& decoder) {
  flags.add("--decode-on", decoder, "who decodes video: cpu, auto (hardware where FFmpeg finds some), cuda, vaapi, …")
      .shows_default();
}

std::shared_ptr<const VideoHardware> video_decoder(const std::string& asked) {
  if (asked == "cpu") return nullptr;
  std::shared_ptr<const VideoHardware> hardware;
  try {
    hardware = asked == "auto" ? VideoHardware::open_any() : VideoHardware::open(asked);
  } catch (const UsageError& error) {
    throw UsageError(str("--decode-on ", asked, ": ", error.what(), "; cpu and auto work everywhere"));
  } catch (const DeviceError& error) {
    throw DeviceError(str("--decode-on ", asked, ": ", error.what(), "; --decode-on cpu works"));
  }
  spdlog::info("video: decoded by {}",
               hardware == nullptr ? "the CPU (no hardware decoder was found)" : hardware->kind());
  return hardware;
}

Placement use_device(const ComputeOptions& options) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const int threads = options.threads == 0 ? cores : options.threads;
  set_thread_count(threads);
  if (options.fast && options.deterministic)
    throw UsageError("--fast gives up what --deterministic promises: give one");
  const Choice choice = choose_device("--device", options.device);
  Placement placement{.device = choice.device};
  const int capability = placement.device.is_cuda() ? cuda::compute_capability(placement.device) : 0;
  placement.dtype = dtype_for(options.dtype, placement.device, capability);
  if (placement.device.is_cuda()) {
    cuda::set_arithmetic(
        {.deterministic = !options.fast, .tf32 = options.fast || options.tf32, .tanh_gelu = options.fast});
    spdlog::info("device: {}, {}, {}{}", cuda::description(placement.device), str(placement.dtype), cuda::libraries(),
                 options.device == "auto" ? " (--device cpu for the CPU)" : "");
    cuda::on_notice([](const std::string& notice) { spdlog::info("{}", notice); });
    if (const std::string missing = cuda::missing_libraries(); !missing.empty())
      spdlog::warn("{}. This build is meant to use it: without, steps take several times as long", missing);
  } else {
    spdlog::info("device: cpu, {} threads{}", threads,
                 choice.why_not_a_gpu.empty() ? std::string() : " (" + choice.why_not_a_gpu + ")");
  }
  if (options.memory_limit_bytes != 0) context(placement.device).set_memory_limit(options.memory_limit_bytes);
  return placement;
}

}  // namespace avs
