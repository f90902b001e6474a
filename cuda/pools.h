// Memory pools of a device's arena. A captured graph replays with the addresses that it was captured with, so what it
// used must not be handed to anybody else between two replays: it takes its memory from a pool of its own.
#pragma once

#include "tensor/device.h"

namespace avs::cuda {

int new_pool(Device device);
void release_pool(Device device, int pool);  // its blocks may serve anybody again

// While one lives, this device's memory comes from the pool; a block always goes back to the pool that it came from.
class PoolScope {
 public:
  PoolScope(Device device, int pool);
  ~PoolScope();
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  Device device_;
  int before_;
};

}  // namespace avs::cuda
