// Text forms of a convolution's graph, for files, tables and messages.
#include "cuda/cudnn_plans.h"

namespace avs::cuda::cudnn {

std::string_view name_of(Direction direction) {
  switch (direction) {
    case Direction::Forward: return "forward";
    case Direction::BackwardInput: return "backward_input";
    case Direction::BackwardFilter: return "backward_filter";
  }
  return "?";
}

std::string text_of(const ConvGraph& g) {
  return str("conv2d ", name_of(g.direction), " ", g.dtype, " x ", g.x, " w ", g.w, " y ", g.y, " stride ",
             g.spec.stride_h, " ", g.spec.stride_w, " padding ", g.spec.padding, g.bias ? " bias" : "",
             g.relu ? " relu" : "");
}

}  // namespace avs::cuda::cudnn
