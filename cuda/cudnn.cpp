// Chooses the cuDNN engine for each convolution: heuristics propose, the best few are timed once, and the winner's name
// is kept on disk by shape, type, device and library version. All tensors of a call have the activations' type: cuDNN
// has hardly any engines for 16-bit filters with 32-bit gradients or the reverse.
#include "cuda/cudnn.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>

#include "cuda/api.h"
#include "cuda/cudnn_plans.h"
#include "cuda/plan_file.h"
#include "cuda/pools.h"
#include "cuda/runtime.h"
#include "cuda/staging.h"
#include "tensor/ops/cast.h"

namespace avs::cuda::cudnn {
namespace {

constexpr size_t kTimed = 5;
constexpr int kTiming = 2;            // version of the timing method: choices of another version are not read from disk
constexpr uintptr_t kAlignment = 16;  // alignment that engines require of every tensor

Rules& rules() {
  static Rules current;
  return current;
}

// The engine for one convolution. Without engines our own kernels compute it.
struct Plan {
  std::unique_ptr<Engines> engines;
  size_t engine = 0;

  void run(const Operands& o, Device device) const {
    const int64_t bytes = engines->workspace_bytes(engine);
    Tensor workspace = Tensor::empty({std::max<int64_t>(bytes, 1)}, DType::U8, device);
    engines->run(engine, o, workspace.raw(), stream(device));
  }
};

// ---- timing ----

// A launch takes the host up to 15 us, longer than many convolutions. So the stream first gets filler work, behind
// which several runs queue up between the two events: the time between these is the device's alone.
class Stopwatch {
 public:
  explicit Stopwatch(Device on) : device_(on) {}

  template <typename F>
  float milliseconds_of_one(int runs, F&& run) {
    const cudaStream_t to = stream(device_);
    check(cudaDeviceSynchronize(), "waiting for the device");  // the engine is timed alone
    for (int i = 0; i < kFillers; ++i) filler_.zero();
    start_.record(to);
    for (int i = 0; i < runs; ++i) run();
    stop_.record(to);
    stop_.wait();
    return stop_.milliseconds_since(start_) / static_cast<float>(runs);
  }

 private:
  static constexpr int kFillers = 8;  // at least 10 us each
  Device device_;
  Tensor filler_ = Tensor::empty({32 << 20}, DType::U8, device_);
  Event start_{Timing::On}, stop_{Timing::On};
};

// The best of two measurements. A long run is timed well alone.
template <typename F>
float shortest_milliseconds(Stopwatch& watch, F&& run) {
  constexpr float kLong = 0.5f;
  constexpr int kRuns = 8;
  const float once = watch.milliseconds_of_one(1, run);
  if (once >= kLong) return std::min(once, watch.milliseconds_of_one(1, run));
  return std::min(watch.milliseconds_of_one(kRuns, run), watch.milliseconds_of_one(kRuns, run));
}

// Returns nothing if the engine cannot run: its workspace does not fit, or it fails without harm to the device.
std::optional<float> measured(const Plan& plan, const Operands& operands, Device device, bool alone) try {
  const PoolScope everybodys(device, 0);  // the pool of a captured graph would keep the losers' workspaces
  plan.run(operands, device);             // loads the kernels
  if (alone) return 0.0f;
  Stopwatch watch(device);
  return shortest_milliseconds(watch, [&] { plan.run(operands, device); });
} catch (const OutOfMemory&) {
  return std::nullopt;
} catch (const DeviceError&) {
  avs::context(device).synchronize();  // throws again if the device itself has failed
  return std::nullopt;
}

// Chooses the fastest of the first few engines that can be built. Timing writes to the convolution's own outputs.
bool choose_by_time(Plan& plan, const Operands& operands, Device device) {
  std::vector<size_t> built;
  for (size_t engine = 0; engine < plan.engines->names().size() && built.size() < kTimed; ++engine)
    if (plan.engines->build(engine)) built.push_back(engine);
  float best = 0;
  std::optional<size_t> chosen;
  for (const size_t engine : built) {
    plan.engine = engine;
    const auto milliseconds = measured(plan, operands, device, built.size() == 1);
    if (milliseconds && (!chosen || *milliseconds < best)) {
      best = *milliseconds;
      chosen = engine;
    }
  }
  plan.engine = chosen.value_or(0);
  return chosen.has_value();
}

bool choose_by_name(Plan& plan, const std::string& name) {
  const auto& names = plan.engines->names();
  const auto found = std::find(names.begin(), names.end(), name);
  plan.engine = static_cast<size_t>(found - names.begin());
  return found != names.end() && plan.engines->build(plan.engine);
}

bool choose_first(Plan& plan) {
  for (plan.engine = 0; plan.engine < plan.engines->names().size(); ++plan.engine)
    if (plan.engines->build(plan.engine)) return true;
  return false;
}

// ---- the plans of this process ----

using Key = std::array<int64_t, 24>;

Key key_of(const ConvGraph& g, Device device) {
  const Padding& p = g.spec.padding;
  return {device.index,
          static_cast<int64_t>(g.direction),
          static_cast<int64_t>(g.dtype),
          g.bias,
          g.relu,
          g.x[0],
          g.x[1],
          g.x[2],
          g.x[3],
          g.w[0],
          g.w[1],
          g.w[2],
          g.w[3],
          g.y[1],
          g.y[2],
          g.spec.stride_h,
          g.spec.stride_w,
          p.top,
          p.bottom,
          p.left,
          p.right,
          rules().deterministic,
          rules().tensor_cores_in_f32,
          rules().most_workspace_bytes};
}

std::string text_on_disk(const ConvGraph& graph, Device device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device.index), "cudaGetDeviceProperties");
  return str("timing ", kTiming, " cudnn ", library_version(), " ", properties.name, " sm_",
             facts(device).compute_capability, " x ", facts(device).multiprocessors,
             rules().deterministic ? "" : " fast", rules().tensor_cores_in_f32 ? " tf32" : "", " ",
             rules().most_workspace_bytes, " ", text_of(graph));
}

// Reports progress: the first step of a network times a few hundred convolutions, up to minutes without a file of
// choices.
void tell_of_choosing(const std::filesystem::path& file) {
  using Clock = std::chrono::steady_clock;
  static int chosen = 0;
  static Clock::time_point told{};
  ++chosen;
  if (told != Clock::time_point{} && Clock::now() - told < std::chrono::seconds(5)) return;
  if (notify(str("choosing convolution engines by time (", chosen, " so far), once for each shape: ", file.string(),
                 " remembers them")))
    told = Clock::now();
}

Plan make_plan(const ConvGraph& graph, const Operands& operands, Device device) {
  static const std::filesystem::path path = plan_path("cudnn_plans.tsv");
  static PlanFile file(path);
  Plan plan;
  plan.engines = std::make_unique<Engines>(graph, rules(), device);
  const std::string text = text_on_disk(graph, device);
  if (const auto name = file.find(text); name && choose_by_name(plan, *name)) return plan;
  if (is_capturing(stream(device))) {
    if (choose_first(plan)) return plan;  // nothing can be timed during capture
  } else if (tell_of_choosing(path); choose_by_time(plan, operands, device)) {
    file.remember(text, plan.engines->names()[plan.engine]);
    return plan;
  }
  plan.engines.reset();
  return plan;
}

bool run(const ConvGraph& graph, const Operands& operands, Device device) {
  for (const void* pointer :
       {operands.first, operands.second, operands.bias, static_cast<const void*>(operands.result)})
    if (reinterpret_cast<uintptr_t>(pointer) % kAlignment != 0) return false;
  static std::mutex mutex;
  static auto* const plans = new std::map<Key, Plan>;
  const std::lock_guard lock(mutex);
  const Key key = key_of(graph, device);
  auto found = plans->find(key);
  if (found == plans->end()) found = plans->emplace(key, make_plan(graph, operands, device)).first;
  if (found->second.engines == nullptr) return false;
  found->second.run(operands, device);
  return true;
}

bool is_wanted() {
  static const bool wanted = [] {
    const char* const asked = std::getenv("AVS_CUDNN");  // AVS_CUDNN=0 selects our own kernels, for comparison
    return asked == nullptr || std::string(asked) != "0";
  }();
  return wanted;
}

bool usable(const Tensor& result) { return is_wanted() && result.size() > 0 && why_unavailable().empty(); }

}  // namespace

// ---- entry points ----

bool conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y) {
  if (!usable(y)) return false;
  const Tensor filter = ops::cast(w, x.dtype()), shift = bias.defined() ? ops::cast(bias, x.dtype()) : Tensor();
  const ConvGraph graph{.direction = Direction::Forward,
                        .x = x.shape(),
                        .w = w.shape(),
                        .y = y.shape(),
                        .spec = spec,
                        .dtype = x.dtype(),
                        .bias = bias.defined(),
                        .relu = activation == Activation::Relu};
  return run(graph, {x.raw(), filter.raw(), bias.defined() ? shift.raw() : nullptr, y.raw()}, x.device());
}

bool conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx) {
  if (!usable(dx)) return false;
  const Tensor filter = ops::cast(w, dy.dtype());
  const ConvGraph graph{.direction = Direction::BackwardInput,
                        .x = dx.shape(),
                        .w = w.shape(),
                        .y = dy.shape(),
                        .spec = spec,
                        .dtype = dy.dtype()};
  return run(graph, {filter.raw(), dy.raw(), nullptr, dx.raw()}, dy.device());
}

bool conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw) {
  if (!usable(dw)) return false;
  const ConvGraph graph{.direction = Direction::BackwardFilter,
                        .x = x.shape(),
                        .w = dw.shape(),
                        .y = dy.shape(),
                        .spec = spec,
                        .dtype = x.dtype()};
  if (x.dtype() == DType::F32) return run(graph, {x.raw(), dy.raw(), nullptr, dw.raw()}, x.device());
  Tensor narrow = Tensor::empty(dw.shape(), x.dtype(), x.device());
  if (!run(graph, {x.raw(), dy.raw(), nullptr, narrow.raw()}, x.device())) return false;
  cuda::cast(narrow, dw);
  return true;
}

void set_rules(const Rules& wanted) { rules() = wanted; }

int64_t most_workspace_bytes() { return is_wanted() && why_unavailable().empty() ? rules().most_workspace_bytes : 0; }

std::string about() {
  if (!is_wanted()) return "AVS_CUDNN=0: our own kernels convolve";
  if (const std::string reason = why_unavailable(); !reason.empty()) return reason + ": our own kernels convolve";
  const int64_t version = library_version();
  return str("cuDNN ", version / 10000, ".", version / 100 % 100, ".", version % 100);
}

}  // namespace avs::cuda::cudnn
