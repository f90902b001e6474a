// The functions that compute a case, one for each kind. Each reads the case's inputs and spec and returns tensors by
// output name.
#pragma once

#include "models/backbone.h"
#include "tests/parity/check/case.h"

namespace avs::parity {

// "op": one differentiable function: y, and d_INPUT for each input if there is an upstream gradient dy.
NamedTensors run_op(const Case& c);
// "network": infer/STAGE with running statistics (folded), train/STAGE with the batch's, grad/PARAMETER, stat/BUFFER.
NamedTensors run_network(const Case& c);
// "steps": training steps with Adam: loss [steps], param/PARAMETER and stat/BUFFER after the last.
NamedTensors run_steps(const Case& c);
// "schedule": rate [steps].
NamedTensors run_schedule(const Case& c);
// "average": the final moving average; row t of w holds the weights after step t.
NamedTensors run_average(const Case& c);
// "mixup": the pairs (first, second, lambda), and y, the mixed x.
NamedTensors run_mixup(const Case& c);
// "adam": p, m, v after one step t.
NamedTensors run_adam(const Case& c);
// "fusion": a whole training of Phase II: its parameters, probabilities, and the outputs of "metrics".
NamedTensors run_fusion(const Case& c);
// "metrics": from probabilities and labels: accuracies, log losses, confusion.
NamedTensors run_metrics(const Case& c);
// "spectrogram": power, before the log, and deltas of the log, of x or of a recording.
NamedTensors run_spectrogram(const Case& c);
// "resample": x resampled to 32 kHz.
NamedTensors run_resample(const Case& c);
// "frames": times in seconds, and pixels, of a video's frames.
NamedTensors run_frames(const Case& c);

// The network of spec["backbone"] with the case's "param/…" and "buffer/…".
std::unique_ptr<Backbone> network_of(const Case& c);

}  // namespace avs::parity
