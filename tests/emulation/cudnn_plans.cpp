// cuDNN on the host: engines that are plain loops in double precision, run or recorded on the stream like a kernel.
#include "cuda/cudnn_plans.h"

#include <utility>

#include "cuda/runtime.h"
#include "tests/emulation/cudnn.h"
#include "tests/emulation/runtime.h"
#include "tests/emulation/shadow.h"
#include "tests/reference/conv2d.h"

namespace avs::emulation {
namespace {

Cudnn which_cudnn = Cudnn::Missing;
int64_t convolutions = 0;
std::string last_engine;
bool has_handle = false;
void* bound_stream = nullptr;

// A call of the library that returns a status. Returns an empty string if it succeeded.
std::string failure_of(const char* function) {
  const int status = fault_in(function);
  if (status == 0) return {};
  return status == kCudnnExecutionFailed ? "CUDNN_STATUS_EXECUTION_FAILED" : str("status ", status, " of ", function);
}

}  // namespace

void set_cudnn(Cudnn which) {
  which_cudnn = which;
  has_handle = false;
  bound_stream = nullptr;
}
int64_t convolutions_by_cudnn() { return convolutions; }
std::string last_engine_of_cudnn() { return last_engine; }

}  // namespace avs::emulation

namespace avs::cuda::cudnn {
namespace {

using emulation::Access;
using emulation::Cudnn;
using emulation::Finding;
using reference::Vector;
namespace heap = emulation::heap;

constexpr int64_t kWorkspaceBytes = 4096;
constexpr std::string_view kCannotBeBuilt = "eng1_cannot_be_built", kSlow = "eng2_slow", kLoops = "eng3_loops";

// Like cuDNN, it has no engine for an odd number of channels in 16 bits.
std::vector<std::string> engines_for(const ConvGraph& g) {
  if (g.dtype != DType::F32 && (g.w[0] % 8 != 0 || g.w[3] % 8 != 0)) return {};
  if (emulation::which_cudnn == Cudnn::Loops) return {std::string(kLoops)};
  return {std::string(kCannotBeBuilt), std::string(kSlow), std::string(kLoops)};
}

struct Memory {
  const void* data;
  int64_t count;
  DType dtype;
  size_t bytes() const { return static_cast<size_t>(count) * size_of(dtype); }
};

// The inputs and the output of a graph.
struct Parts {
  Memory first, second, bias, result;
};
Parts parts_of(const ConvGraph& g, const Operands& o) {
  const Shape& first = g.direction == Direction::BackwardInput ? g.w : g.x;
  const Shape& second = g.direction == Direction::Forward ? g.w : g.y;
  const Shape& result = g.direction == Direction::Forward ? g.y : g.direction == Direction::BackwardInput ? g.x : g.w;
  return {{o.first, first.size(), g.dtype},
          {o.second, second.size(), g.dtype},
          {o.bias, g.bias ? g.w[0] : 0, g.dtype},
          {o.result, result.size(), g.dtype}};
}

void check_memory(const std::string& graph, const char* what, const Memory& m) {
  AVS_CHECK(Finding, reinterpret_cast<uintptr_t>(m.data) % 16 == 0, graph, ": ", what, " is not aligned to 16 bytes");
  AVS_CHECK(Finding, heap::contains(m.data) && heap::is_live(m.data, m.bytes()), graph, ": ", m.bytes(), " bytes of ",
            what, " are not, or not all, a tensor of the device");
}

template <typename T>
Vector read_as(const void* data, int64_t count) {
  const T* const values = static_cast<const T*>(data);
  Vector read(static_cast<size_t>(count));
  for (size_t i = 0; i < read.size(); ++i) read[i] = static_cast<double>(static_cast<float>(values[i]));
  return read;
}
// Reads a device tensor's values in place: the work runs when the stream reaches it.
Vector read(const Memory& m) {
  heap::touch(m.data, m.bytes(), Access::Read);
  if (m.dtype == DType::BF16) return read_as<bf16>(m.data, m.count);
  return m.dtype == DType::F16 ? read_as<f16>(m.data, m.count) : read_as<float>(m.data, m.count);
}
void write(const Memory& m, const Vector& values) {
  heap::touch(m.data, m.bytes(), Access::Write);
  void* const data = const_cast<void*>(m.data);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<float>(values[i]);
    if (m.dtype == DType::BF16)
      static_cast<bf16*>(data)[i] = bf16(value);
    else if (m.dtype == DType::F16)
      static_cast<f16*>(data)[i] = f16(value);
    else
      static_cast<float*>(data)[i] = value;
  }
}

void convolve(const ConvGraph& g, const Parts& parts) {
  const Vector first = read(parts.first), second = read(parts.second);
  if (g.direction == Direction::BackwardInput)
    return write(parts.result, reference::conv2d_backward_input(as_nhwc(g.x), first, as_krsc(g.w), second, g.spec));
  if (g.direction == Direction::BackwardFilter)
    return write(parts.result, reference::conv2d_backward_filter(first, as_nhwc(g.x), second, as_krsc(g.w), g.spec));
  Vector y = reference::conv2d(first, as_nhwc(g.x), second, as_krsc(g.w), g.bias ? read(parts.bias) : Vector(), g.spec);
  if (g.relu)
    for (double& v : y) v = v < 0 ? 0 : v;
  write(parts.result, y);
}

}  // namespace

std::string why_unavailable() {
  return emulation::which_cudnn == Cudnn::Missing ? "no cuDNN stands in here" : std::string();
}
int64_t library_version() { return 91900; }

struct Engines::State {
  ConvGraph graph;
  std::vector<std::string> names;
  std::vector<bool> built;
  std::string problem;
};

Engines::Engines(const ConvGraph& graph, const Rules&, Device) : state_(std::make_unique<State>()) {
  const Shape expected = ops::conv2d_shape(graph.x, graph.w, graph.spec);
  AVS_CHECK(Finding, graph.y == expected, text_of(graph), ": x and w give ", expected);
  if (!emulation::has_handle) {
    const std::string failure = emulation::failure_of("cudnnCreate");
    AVS_CHECK(DeviceError, failure.empty(), "cuDNN: ", failure, " (making a handle)");
    emulation::has_handle = true;
  }
  state_->graph = graph;
  state_->problem = emulation::failure_of("cudnnBackendFinalize");
  if (!state_->problem.empty()) return;
  state_->names = engines_for(graph);
  state_->built.resize(state_->names.size());
}
Engines::Engines(const ConvGraph&, const Rules&, const std::string&) {
  throw DeviceError("a stand-in knows no other devices");
}
Engines::~Engines() = default;
Engines::Engines(Engines&&) noexcept = default;

const std::vector<std::string>& Engines::names() const { return state_->names; }
const std::string& Engines::problem() const { return state_->problem; }
bool Engines::compiled_at_run_time(size_t) const { return false; }
bool Engines::build(size_t engine) {
  state_->problem = emulation::failure_of("cudnnBackendFinalize");
  return state_->built[engine] = state_->problem.empty() && state_->names[engine] != kCannotBeBuilt;
}
int64_t Engines::workspace_bytes(size_t) const { return kWorkspaceBytes; }

void Engines::run(size_t engine, const Operands& operands, void* workspace, void* stream) const {
  const ConvGraph& g = state_->graph;
  const std::string text = text_of(g);
  AVS_CHECK(Finding, state_->built[engine], text, ": engine ", state_->names[engine], " was not built");
  const Parts parts = parts_of(g, operands);
  const Memory space{workspace, kWorkspaceBytes, DType::U8};
  check_memory(text, "the first operand", parts.first);
  check_memory(text, "the second operand", parts.second);
  check_memory(text, "the result", parts.result);
  check_memory(text, "the workspace", space);
  if (g.bias) check_memory(text, "the bias", parts.bias);
  const auto call = [](const char* function, const std::string& doing) {
    const std::string failure = emulation::failure_of(function);
    AVS_CHECK(DeviceError, failure.empty(), "cuDNN: ", failure, doing);
  };
  if (std::exchange(emulation::bound_stream, stream) != stream) call("cudnnSetStream", " (binding a stream)");
  call("cudnnBackendExecute", str(" in ", text));
  const auto submit = [&](emulation::Work work) {
    check(static_cast<cudaError_t>(emulation::submit(static_cast<cudaStream_t>(stream), std::move(work), text)),
          "cuDNN");
  };
  submit([space] { heap::touch(space.data, space.bytes(), Access::Write); });
  if (state_->names[engine] == kSlow)
    for (int more = 0; more < 3; ++more) submit([] {});
  submit([g, parts] { convolve(g, parts); });
  ++emulation::convolutions;
  emulation::last_engine = state_->names[engine];
}

}  // namespace avs::cuda::cudnn
