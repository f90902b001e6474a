// Memory pools of a device's arena. A captured graph replays with the addresses of its capture, so its memory must not
// be allocated to anything else between two replays: a graph has its own pool.
#pragma once

#include "tensor/device.h"
#include "tensor/no_copy.h"

namespace avs::cuda {

int new_pool(Device device);
void release_pool(Device device, int pool);  // makes its blocks available to all again

// While a PoolScope exists, this device allocates from the pool; a block always returns to its own pool.
class PoolScope : NoCopy {
 public:
  PoolScope(Device device, int pool);
  ~PoolScope();

 private:
  Device device_;
  int before_;
};

}  // namespace avs::cuda
