// Finds the layer where NaN or infinity begins: for the message that ends a run.
#pragma once

#include <string>

#include "models/backbone.h"

namespace avs {

// Looks at the parameters, then the samples, then runs them once more (training mode, no gradients) and watches the
// stages: "parameter 'stem.conv.weight' holds nan", "the input holds inf", "stage 'mixed3' is the first to hold nan".
std::string find_non_finite(Backbone& model, const Samples& samples);

// Reports the first parameter that is not finite; "" if there is none.
std::string first_non_finite_parameter(Module& model);

}  // namespace avs
