// Some channels of a tensor, written or read where they lie: whole[..., first : first + count].
#pragma once

#include <utility>

#include "tensor/tensor.h"

namespace avs {

struct ChannelSlice {
  Tensor whole;
  int64_t first = 0, count = 0;

  ChannelSlice(Tensor tensor, int64_t first_channel, int64_t channels)
      : whole(std::move(tensor)), first(first_channel), count(channels) {}
  ChannelSlice(Tensor tensor)  // all of them
      : whole(std::move(tensor)), count(whole.defined() && whole.shape().rank() > 0 ? whole.shape()[-1] : 0) {}
};

}  // namespace avs
