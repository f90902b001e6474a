// Shared by the benchmarks: random inputs, a timer that empties the caches, and results as a percentage of the
// machine's bound. The bounds are measured, not read from a data sheet: a plain parallel copy for memory, a large
// matrix product for arithmetic, each once per process on the process' threads (AVS_BENCH_THREADS; default all cores).
//
// On a shared machine, AVS_BENCH_THREADS=1 AVS_BENCH_CLOCK=processor measures processor time of the one thread instead
// of wall time, for the bounds too: percentages stay meaningful, absolute times nearly so.
#pragma once

#include <benchmark/benchmark.h>

#include <initializer_list>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace avs::bench {

Device device_of(int64_t argument);  // 0: the CPU, 1: the first GPU
bool usable(Device device);
std::vector<int64_t> devices();  // usable arguments of device_of

// Limits an extent to 8 with AVS_BENCH_SMALL=1 in the environment: a check that the benchmark runs, not a measurement.
int64_t extent(int64_t full);
Shape extents(const Shape& full);
// Arguments: device, then extents.
void add_sizes(benchmark::internal::Benchmark* bench, int64_t device, std::vector<int64_t> extents);

Tensor random_tensor(const Shape& shape, Device device = kCpu);  // normal numbers, never zero, the same in every run

// Measures the time of one iteration, device work included.
class DeviceTimer {
 public:
  explicit DeviceTimer(Device device);
  void flush_cache();  // otherwise the second iteration would measure the cache, not memory
  void start();
  double stop_seconds();

 private:
  Device device_;
  double start_seconds_ = 0;
};

double copy_gb_per_second(Device device);                          // bytes read plus bytes written
double gflop_per_second(Device device, DType dtype = DType::F32);  // matrix product

// Counters of one benchmark, from its mean time: "GB/s" and "%copy", "GFLOP/s" and "%matmul".
void report_bandwidth(benchmark::State& state, double bytes_per_iteration, Device device);
void report_flops(benchmark::State& state, double flops_per_iteration, Device device, DType dtype = DType::F32);

// The loop of nearly every op benchmark: cold caches, manual time. Use with ->UseManualTime().
template <typename Work>
void run(benchmark::State& state, Device device, Work&& work) {
  work();  // compiles primitives and touches fresh memory
  DeviceTimer timer(device);
  for (auto _ : state) {
    timer.flush_cache();
    timer.start();
    benchmark::DoNotOptimize(work());
    state.SetIterationTime(timer.stop_seconds());
  }
}

// Adds sizes for every usable device as arguments device, rows, channels.
void rows_of_channels(benchmark::internal::Benchmark* bench, std::initializer_list<std::pair<int64_t, int64_t>> sizes);

// Runs work(x, dy) on two tensors of such a size; `tensors_moved` tensors (in f32) pass through memory.
template <typename Work>
void run_on_rows(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = random_tensor(shape, device), dy = random_tensor(shape, device);
  run(state, device, [&] { return work(x, dy); });
  report_bandwidth(state, tensors_moved * static_cast<double>(x.bytes()), device);
}

}  // namespace avs::bench
