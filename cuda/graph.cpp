// Captures work as a CUDA graph and replays it (contract: api.h).
#include "cuda/api.h"
#include "cuda/pools.h"
#include "cuda/runtime.h"
#include "tensor/no_copy.h"

namespace avs::cuda {
namespace {

class OwnPool : NoCopy {  // releases the pool even if capture fails
 public:
  explicit OwnPool(Device device) : device_(device), id_(new_pool(device)) {}
  ~OwnPool() { release_pool(device_, id_); }
  int id() const { return id_; }

 private:
  Device device_;
  int id_;
};

class StreamGraph final : public Graph, NoCopy {
 public:
  StreamGraph(Device device, const std::function<void()>& work) : device_(device), pool_(device) {
    const PoolScope scope(device_, pool_.id());
    work();  // the first run allocates the memory that the captured run uses
    const cudaStream_t compute = stream(device_);
    // Relaxed: the arena may still allocate a segment if the second run splits memory differently than the first.
    check(cudaStreamBeginCapture(compute, cudaStreamCaptureModeRelaxed), "beginning to capture a graph");
    try {
      work();
    } catch (...) {
      end_capture(compute);
      throw;
    }
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(compute, &graph), "capturing a graph");
    const cudaError_t result = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(result, "making a captured graph executable");
  }
  ~StreamGraph() override {
    if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
  }

  void replay() override { check(cudaGraphLaunch(executable_, stream(device_)), "replaying a graph"); }

 private:
  // After a failure the stream must leave the capture, whatever the call returns.
  static void end_capture(cudaStream_t compute) {
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(compute, &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
  }

  Device device_;
  OwnPool pool_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

std::unique_ptr<Graph> capture(Device device, const std::function<void()>& work) {
  return std::make_unique<StreamGraph>(device, work);
}

}  // namespace avs::cuda
