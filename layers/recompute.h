// Activation checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): of a layer only its input
// is kept; backward computes the layer once more, this time recording, and goes back through that. About a third more
// arithmetic, and the activations of one layer at a time instead of all.
//
// The second pass sees the same input, parameters and dropout masks (they are a function of seed, step and element), so
// gradients are those of the plain layer, bit for bit. BatchNorm moves its running statistics in the first pass only.
#pragma once

#include "layers/module.h"

namespace avs {

Variable recompute(Layer& layer, const Variable& x);  // layer(x), where nothing is recorded

bool recomputing();  // is a second pass running on this thread?

}  // namespace avs
