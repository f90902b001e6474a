// Capturing a piece of a step as a CUDA graph and replaying it (contract: api.h).
#include "cuda/api.h"
#include "cuda/pools.h"
#include "cuda/runtime.h"

namespace avs::cuda {
namespace {

class StreamGraph final : public Graph {
 public:
  StreamGraph(Device device, const std::function<void()>& work) : device_(device), pool_(new_pool(device)) {
    const PoolScope scope(device_, pool_);
    work();  // the first run takes the memory that the captured one will find: none may be taken during a capture
    const cudaStream_t on = stream(device_);
    check(cudaStreamBeginCapture(on, cudaStreamCaptureModeThreadLocal), "beginning to capture a graph");
    try {
      work();
    } catch (...) {
      end_capture(on);
      throw;
    }
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(on, &graph), "capturing a graph");
    const cudaError_t result = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    check(result, "making a captured graph executable");
  }
  ~StreamGraph() override {
    if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
    release_pool(device_, pool_);
  }
  StreamGraph(const StreamGraph&) = delete;
  StreamGraph& operator=(const StreamGraph&) = delete;

  void replay() override { check(cudaGraphLaunch(executable_, stream(device_)), "replaying a graph"); }

 private:
  static void end_capture(cudaStream_t on) {  // after a failure: the stream must leave the capture, whatever it says
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(on, &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();
  }

  Device device_;
  int pool_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

std::unique_ptr<Graph> capture(Device device, const std::function<void()>& work) {
  return std::make_unique<StreamGraph>(device, work);
}

}  // namespace avs::cuda
