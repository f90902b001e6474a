// The flags that say where and how wide to compute: --device --dtype --threads --memory-limit.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "tensor/device.h"

namespace avs {

struct ComputeOptions {
  std::string device = "auto";      // auto, cpu, cuda
  std::string dtype = "auto";       // auto, f32, bf16, f16
  int threads = 0;                  // 0: as many as the machine has cores
  uint64_t memory_limit_bytes = 0;  // 0: none
};

void add_compute_options(CLI::App& app, ComputeOptions& options);

// Sets thread count and memory limit, says in one line on stderr what device it took and why, and returns it.
// DeviceError when CUDA was asked for and cannot be had, UsageError for a type the device does not compute in.
Device use_device(const ComputeOptions& options);

}  // namespace avs
