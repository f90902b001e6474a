// A network's device and the type of its activations.
#pragma once

#include "models/backbone.h"

namespace avs {

struct Placement {
  Device device = kCpu;
  DType dtype = DType::F32;
};

inline void place(Backbone& net, Placement placement) {
  net.to(placement.device);
  net.compute_in(placement.dtype);
}

}  // namespace avs
