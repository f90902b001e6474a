#include "bench/bench.h"

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "cuda/api.h"
#include "tensor/ops/cast.h"
#include "tensor/ops/linear.h"
#include "tensor/parallel.h"
#include "tensor/rng.h"

namespace avs::bench {
namespace {

double now_seconds() {
  static const bool processor = [] {
    const char* const clock = std::getenv("AVS_BENCH_CLOCK");
    return clock != nullptr && std::string(clock) == "processor";
  }();
  timespec t{};
  clock_gettime(processor ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double best_seconds(int repeats, Device device, const std::function<void()>& work) {
  double best = 1e30;
  for (int i = 0; i < repeats; ++i) {
    const double start = now_seconds();
    work();
    context(device).synchronize();
    best = std::min(best, now_seconds() - start);
  }
  return best;
}

// Set before main, so that every bound and every benchmark runs on the same number of threads.
const int threads = [] {
  if (const char* asked = std::getenv("AVS_BENCH_THREADS")) set_thread_count(std::max(1, std::atoi(asked)));
  return thread_count();
}();

void copy_in_parallel(const Tensor& from, Tensor& to) {
  const auto* source = static_cast<const std::byte*>(from.raw());
  auto* target = static_cast<std::byte*>(to.raw());
  parallel_for(static_cast<int64_t>(from.bytes()), 1 << 20,
               [=](int64_t a, int64_t b) { std::memcpy(target + a, source + a, static_cast<size_t>(b - a)); });
}

}  // namespace

Device device_of(int64_t argument) { return argument == 0 ? kCpu : Device{Device::Kind::Cuda, 0}; }
bool usable(Device device) { return !device.is_cuda() || cuda::available(); }
std::vector<int64_t> devices() { return cuda::available() ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{0}; }

void rows_of_channels(benchmark::internal::Benchmark* bench, std::initializer_list<std::pair<int64_t, int64_t>> sizes) {
  bench->ArgNames({"device", "rows", "channels"});
  for (const int64_t device : devices())
    for (const auto& [rows, channels] : sizes) add_sizes(bench, device, {rows, channels});
}

int64_t extent(int64_t full) {
  static const bool small = std::getenv("AVS_BENCH_SMALL") != nullptr;
  return small ? std::min<int64_t>(full, 8) : full;
}
Shape extents(const Shape& full) {
  Shape shape = full;
  for (int axis = 0; axis < full.rank(); ++axis) shape = shape.with(axis, extent(full[axis]));
  return shape;
}
void add_sizes(benchmark::internal::Benchmark* bench, int64_t device, std::vector<int64_t> extents) {
  for (int64_t& each : extents) each = extent(each);
  extents.insert(extents.begin(), device);
  bench->Args(extents);
}

Tensor random_tensor(const Shape& shape, Device device) {
  // The values repeat after 64 Ki elements, so that making large inputs does not take longer than the benchmark.
  static const std::vector<float> pool = [] {
    Rng rng(1);
    std::vector<float> values(65536 - 7);
    for (float& v : values) v = static_cast<float>(rng.normal());
    return values;
  }();
  std::vector<float> values(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = pool[i % pool.size()];
  return Tensor::from(shape, std::span<const float>(values), device);
}

DeviceTimer::DeviceTimer(Device device) : device_(device) {}

void DeviceTimer::flush_cache() {
  static std::vector<Tensor> filler(2);
  Tensor& t = filler[device_.is_cuda() ? 1 : 0];
  if (!t.defined())
    // larger than the last-level cache of any machine so far
    t = Tensor::zeros({extent(96 << 20)}, DType::U8, device_);
  t.zero();
  context(device_).synchronize();
}

void DeviceTimer::start() { start_seconds_ = now_seconds(); }

double DeviceTimer::stop_seconds() {
  context(device_).synchronize();
  return now_seconds() - start_seconds_;
}

double copy_gb_per_second(Device device) {
  const auto measured = [](Device on) {
    const Tensor from = Tensor::zeros({extent(128 << 20)}, DType::U8, on);
    Tensor to = Tensor::zeros(from.shape(), DType::U8, on);
    context(on).synchronize();
    return 2e-9 * static_cast<double>(from.bytes()) /
           best_seconds(7, on, [&] { on.is_cuda() ? to.copy_from(from) : copy_in_parallel(from, to); });
  };
  static const double of_cpu = measured(kCpu);
  if (!device.is_cuda()) return of_cpu;
  static const double of_gpu = measured(device);
  return of_gpu;
}

double gflop_per_second(Device device, DType dtype) {
  static std::map<std::pair<bool, DType>, double> measured;
  const auto [at, is_new] = measured.try_emplace({device.is_cuda(), dtype}, 0.0);
  if (is_new) {
    const int64_t n = extent(device.is_cuda() ? 4096 : 1536);
    const Tensor a = ops::cast(random_tensor({n, n}, device), dtype), b = random_tensor({n, n}, device);
    ops::linear(a, b, {});
    const double seconds = best_seconds(7, device, [&] { ops::linear(a, b, {}); });
    at->second = 2e-9 * static_cast<double>(n * n * n) / seconds;
  }
  return at->second;
}

void report_bandwidth(benchmark::State& state, double bytes, Device device) {
  using benchmark::Counter;
  const double bound = copy_gb_per_second(device);
  const auto flags = Counter::kIsIterationInvariantRate;
  state.counters["GB/s"] = Counter(1e-9 * bytes, flags);
  if (bound > 0) state.counters["%copy"] = Counter(1e-7 * bytes / bound, flags);
}

void report_flops(benchmark::State& state, double flops_per_iteration, Device device, DType dtype) {
  using benchmark::Counter;
  const auto flags = Counter::kIsIterationInvariantRate;
  const double bound = gflop_per_second(device, dtype);
  state.counters["GFLOP/s"] = Counter(1e-9 * flops_per_iteration, flags);
  if (bound > 0) state.counters["%matmul"] = Counter(1e-7 * flops_per_iteration / bound, flags);
}

}  // namespace avs::bench
