// The emulated device's name.
#pragma once

#include "tensor/device.h"

namespace avs {

inline constexpr Device kGpu{Device::Kind::Cuda, 0};

}  // namespace avs
