#include "layers/optim/weight_average.h"

#include <algorithm>

#include "tensor/holders.h"
#include "tensor/ops/adam.h"

namespace avs {

WeightAverage::WeightAverage(ParameterArena& parameters, float decay) : parameters_(parameters), decay_(decay) {
  const HolderScope scope("averaged weights");
  average_ = parameters.values().clone();
  AVS_CHECK(UsageError, decay > 0 && decay < 1, "EMA of weights: the decay must lie between 0 and 1, got ", decay);
}

void WeightAverage::update(int64_t t) {
  const float growing = (1.0f + static_cast<float>(t)) / (10.0f + static_cast<float>(t));
  ops::ema(average_, parameters_.values(), std::min(decay_, growing));
}

void WeightAverage::exchange() {
  const Tensor weights = parameters_.values().clone();
  parameters_.values().copy_from(average_);
  average_.copy_from(weights);
}

}  // namespace avs
