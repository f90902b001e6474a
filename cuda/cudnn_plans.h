// The part of cuDNN's graph API that convolutions need, without its types: finds engines for a convolution on a device,
// and runs one. cudnn.cpp chooses, remembers and allocates.
//
// The library is opened at first use, so a program built with cuDNN also starts on machines without it. On the host,
// tests/emulation/cudnn_plans.cpp replaces it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cuda/cudnn.h"
#include "tensor/ops/conv2d.h"

namespace avs::cuda::cudnn {

enum class Direction : uint8_t { Forward, BackwardInput, BackwardFilter };
std::string_view name_of(Direction direction);

// One call of cuDNN. All its tensors have one type; sums are f32.
struct ConvGraph {
  Direction direction = Direction::Forward;
  Shape x, w, y;
  Conv2dSpec spec;
  DType dtype = DType::F32;
  bool bias = false, relu = false;  // forward only
};
std::string text_of(const ConvGraph& graph);  // one line with everything that engines depend on

// The inputs of a direction (x, w; w, dy; x, dy; forward perhaps a bias) and its output.
struct Operands {
  const void *first, *second, *bias;
  void* result;
};

std::string why_unavailable();  // one sentence; empty if the library was opened
int64_t library_version();      // 91900

// Engines for one graph, best guess first (heuristics mode A, then fallbacks). Engines that must be compiled, which
// takes seconds, come last.
class Engines {
 public:
  // For the current GPU of this machine.
  Engines(const ConvGraph& graph, const Rules& rules, Device device);
  // For a GPU that need not be in this machine, from its description in JSON (tests/cudnn/devices).
  Engines(const ConvGraph& graph, const Rules& rules, const std::string& device_description);
  ~Engines();
  Engines(Engines&&) noexcept;

  // May be empty: then problem() is cuDNN's explanation. Names are stable: number and settings of the engine.
  const std::vector<std::string>& names() const;
  const std::string& problem() const;
  bool compiled_at_run_time(size_t engine) const;

  bool build(size_t engine);                     // false: it breaks a rule, or cuDNN cannot build it (see problem())
  int64_t workspace_bytes(size_t engine) const;  // after build(engine)
  // Runs on `stream` (a cudaStream_t), which may change between calls. Not thread safe. DeviceError names the graph.
  void run(size_t engine, const Operands& operands, void* workspace, void* stream) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace avs::cuda::cudnn
