// Activation checkpointing (Chen et al. 2016, "Training deep nets with sublinear memory cost"): forward keeps only a
// layer's input; backward runs the layer's forward again, recording, and then its backward. This costs about a third
// more arithmetic and keeps the activations of one layer at a time instead of all.
//
// The second forward sees the same input, parameters and dropout masks (a function of seed, step and element), so
// gradients equal those of the plain layer bit for bit. Only the first forward updates BatchNorm's running statistics.
#pragma once

#include "layers/module.h"

namespace avs {

Variable recompute(Layer& layer, const Variable& x);  // returns layer(x); plain if nothing is recorded

bool recomputing();  // true while this thread runs a second forward

}  // namespace avs
