// The flags that say where and how wide to compute: --device --dtype --threads --memory-limit, and on a GPU what may be
// traded for speed: --deterministic (the default), --fast, --tf32. And who makes spectrograms and decodes video.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "apps/cli/flags.h"
#include "tensor/device.h"
#include "tensor/dtype.h"
#include "vision/video_hardware.h"

namespace avs {

struct ComputeOptions {
  std::string device = "auto";      // auto, cpu, cuda, cuda:N
  std::string dtype = "auto";       // auto, f32, bf16, f16
  int threads = 0;                  // 0: as many as the machine has cores
  uint64_t memory_limit_bytes = 0;  // 0: none
  bool deterministic = false;       // as it is anyhow, unless fast
  bool fast = false, tf32 = false;
};

inline constexpr const char* kDeterministicHelp = "on a GPU: the same bits in every run (the default, said aloud)";
inline constexpr const char* kFastHelp =
    "on a GPU: any engine of cuDNN, --tf32, and GELU by tanh (within 5e-4); bits may differ from run to run";
inline constexpr const char* kTf32Help = "on a GPU: f32 products on tensor cores, their factors rounded to ten bits";

struct Placement {  // where a network computes, and in which type its activations are
  Device device = kCpu;
  DType dtype = DType::F32;
};

// For flags that name a device: empty when it is auto, cpu, cuda or cuda:N, else what is wrong.
std::string check_device_name(const std::string& name);

void add_compute_options(Flags& flags, ComputeOptions& options);

// --features-on: where spectrograms are made; cpu unless a GPU is named, because the two differ by f32's rounding.
void add_features_option(Flags& flags, std::string& device);
Device features_device(const std::string& asked);  // DeviceError when CUDA was asked for and cannot be had

// --decode-on: cpu, one of FFmpeg's hardware decoders by name (cuda, vaapi, …), or auto: the first that opens, else the
// CPU. Null: the CPU.
void add_decoder_option(Flags& flags, std::string& decoder);
std::shared_ptr<const VideoHardware> video_decoder(const std::string& asked);  // also UsageError: unknown

// --dtype on a device: auto is f32 on the CPU, bf16 from compute capability 8.0 (80) on, f16 before. UsageError for a
// type that the device does not compute in.
DType dtype_for(const std::string& asked, Device device, int compute_capability);

// Sets thread count and memory limit, says in one line on stderr what it took and why, and returns it. `auto` takes the
// first GPU where there is one, and there bf16 from compute capability 8.0 on, f16 before. DeviceError when CUDA was
// asked for and cannot be had, UsageError for a type the device does not compute in.
Placement use_device(const ComputeOptions& options);

}  // namespace avs
