// Flags of the compute device: --device --dtype --threads --memory-limit, and on a GPU --deterministic (the default),
// --fast and --tf32. Also the devices that make spectrograms and decode video.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "apps/cli/flags.h"
#include "models/training/placement.h"
#include "vision/video_hardware.h"

namespace avs {

struct ComputeOptions {
  std::string device = "auto";      // auto, cpu, cuda, cuda:N
  std::string dtype = "auto";       // auto, f32, bf16, f16
  int threads = 0;                  // 0: number of cores
  uint64_t memory_limit_bytes = 0;  // 0: unlimited
  bool deterministic = false;       // already the default; cannot be combined with --fast
  bool fast = false, tf32 = false;
};

inline constexpr const char* kDeterministicHelp = "on a GPU: the same bits in every run (the default, said aloud)";
inline constexpr const char* kFastHelp =
    "on a GPU: any engine of cuDNN, --tf32, and GELU by tanh (within 5e-4); bits may differ from run to run";
inline constexpr const char* kTf32Help = "on a GPU: f32 products on tensor cores, their factors rounded to ten bits";

// Error text for a device name; empty if it is auto, cpu, cuda or cuda:N.
std::string check_device_name(const std::string& name);

void add_compute_options(Flags& flags, ComputeOptions& options);

// --features-on: the device that makes spectrograms. Default cpu, because a GPU's results differ by f32 rounding.
void add_features_option(Flags& flags, std::string& device);
Device features_device(const std::string& asked);  // DeviceError: CUDA is unavailable

// --decode-on: cpu, one of FFmpeg's hardware decoders by name (cuda, vaapi, …), or auto: the first that opens, else
// cpu.
void add_decoder_option(Flags& flags, std::string& decoder);
std::shared_ptr<const VideoHardware> video_decoder(const std::string& asked);  // null: the CPU; UsageError: unknown

// Resolves --dtype: auto is f32 on the CPU, bf16 from compute capability 8.0 (80) on, f16 below. UsageError: the device
// does not compute in this type.
DType dtype_for(const std::string& asked, Device device, int compute_capability);

// Sets thread count and memory limit, logs the choice in one line, and returns it. `auto` is the first GPU, if there is
// one, else the CPU. DeviceError: CUDA is unavailable. UsageError: see dtype_for.
Placement use_device(const ComputeOptions& options);

}  // namespace avs
