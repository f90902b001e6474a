// cuDNN's graph API as far as convolutions need it, without one of its types: which engines serve a convolution on a
// device, and running one of them. What to choose, remember and allocate is cudnn.cpp's matter.
//
// The library is opened when it is first asked for: a program that was built with cuDNN also starts where there is
// none. On the host tests/emulation/cudnn_plans.cpp stands in for it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cuda/cudnn.h"
#include "tensor/ops/conv2d.h"

namespace avs::cuda::cudnn {

enum class Direction : uint8_t { Forward, BackwardInput, BackwardFilter };
std::string_view name_of(Direction direction);

// One call of cuDNN. All of its tensors are of one type; sums are f32.
struct ConvGraph {
  Direction direction = Direction::Forward;
  Shape x, w, y;
  Conv2dSpec spec;
  DType dtype = DType::F32;
  bool bias = false, relu = false;  // forward only
};
std::string text_of(const ConvGraph& graph);  // in one line, of everything that an engine depends on

// What a direction reads (x, w; w, dy; x, dy; forward perhaps a bias) and where it writes.
struct Operands {
  const void *first, *second, *bias;
  void* result;
};

std::string why_unavailable();  // one sentence; empty: the library was opened
int64_t library_version();      // 91900

// Engines for one graph, best guess first (heuristics mode A, then the fallbacks); those that would first have to be
// compiled, which takes seconds, come last.
class Engines {
 public:
  // For a GPU of this machine, which is current.
  Engines(const ConvGraph& graph, const Rules& rules, Device device);
  // For a GPU that need not be here, from its description in JSON (tests/cudnn/devices).
  Engines(const ConvGraph& graph, const Rules& rules, const std::string& device_description);
  ~Engines();
  Engines(Engines&&) noexcept;

  // May be empty: then problem() is cuDNN's explanation. Names are stable: number and settings of the engine.
  const std::vector<std::string>& names() const;
  const std::string& problem() const;
  bool compiled_at_run_time(size_t engine) const;

  bool build(size_t engine);                     // false: it breaks a rule, or cuDNN cannot after all (problem())
  int64_t workspace_bytes(size_t engine) const;  // of one that was built
  // On `stream` (a cudaStream_t), whichever it was made or last run on. Not for two threads at once. DeviceError names
  // the graph.
  void run(size_t engine, const Operands& operands, void* workspace, void* stream) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace avs::cuda::cudnn
