// What the benchmarks share: random inputs, a timer that empties the caches, and figures as a share of what this
// machine can do. The bounds are measured, not read from a data sheet: a plain parallel copy for memory, a large matrix
// product for arithmetic, each once per process on the threads the process uses (AVS_BENCH_THREADS; all cores
// otherwise).
//
// On a machine that others use at the same time, AVS_BENCH_THREADS=1 AVS_BENCH_CLOCK=processor counts the processor
// time of the one thread in place of wall time, for the bounds too: shares stay meaningful, absolute times nearly so.
#pragma once

#include <benchmark/benchmark.h>

#include "tensor/tensor.h"

namespace avs::bench {

Device device_of(int64_t argument);  // 0: the CPU, 1: the first GPU
bool usable(Device device);
std::vector<int64_t> devices();  // arguments of device_of that are usable here

Tensor random_tensor(const Shape& shape, Device device = kCpu);  // normal numbers, the same in every run; never zeros

// Time of the work of one iteration, device work included.
class DeviceTimer {
 public:
  explicit DeviceTimer(Device device);
  void flush_cache();  // or the second iteration measures the cache, not memory
  void start();
  double stop_seconds();

 private:
  Device device_;
  double start_seconds_ = 0;
};

double copy_gb_per_second(Device device);  // bytes read plus bytes written
double gflop_per_second(Device device, DType dtype = DType::F32);  // matrix product

// Counters of one benchmark, from its mean time: "GB/s" and "%copy", "GFLOP/s" and "%matmul".
void report_bandwidth(benchmark::State& state, size_t bytes_per_iteration, Device device);
void report_flops(benchmark::State& state, double flops_per_iteration, Device device, DType dtype = DType::F32);

// The loop that nearly every op benchmark is: cold caches, manual time. Use with ->UseManualTime().
template <typename Work>
void run(benchmark::State& state, Device device, Work&& work) {
  if (!usable(device)) return state.SkipWithError("no such device");
  work();  // compiles primitives and touches fresh memory
  DeviceTimer timer(device);
  for (auto _ : state) {
    timer.flush_cache();
    timer.start();
    benchmark::DoNotOptimize(work());
    state.SetIterationTime(timer.stop_seconds());
  }
}

}  // namespace avs::bench
