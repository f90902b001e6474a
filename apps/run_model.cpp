// run_model: runs a backbone on a tensor, to inspect a trained network or to compare it with other implementations.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "apps/cli/compute_options.h"
#include "apps/cli/program.h"
#include "apps/cli/weight_options.h"
#include "models/backbone.h"
#include "models/training/predict.h"
#include "models/weights/import.h"
#include "tensor/ops/cast.h"
#include "tensor/require.h"

namespace avs {
namespace {

struct Options {
  std::string model, weights, input, output, at = "logits";
  std::optional<double> width;
  int64_t batch = 16;
  WeightOptions published;
  ComputeOptions compute;
};

bool is_our_checkpoint(const std::string& file) {
  try {
    return Checkpoint::load_metadata(file).contains(kBackboneKey);
  } catch (const DataError&) {
    return false;  // the importer knows other formats and reports the error if none fits
  }
}

// Imports a published ImageNet file and logs the report.
std::unique_ptr<Backbone> imported(const Options& options) {
  ImportReport report;
  std::unique_ptr<Backbone> backbone =
      make_backbone_from_weights({.model = options.model, .width = options.width.value_or(1.0)}, options.weights,
                                 options.published.import(), &report);
  log_import(report, options.weights);
  return backbone;
}

// Loads the file's network and checks that it is the requested one.
std::unique_ptr<Backbone> network_of(const Options& options) {
  const Modality kind = modality_of(options.model);  // UsageError for an unknown name before a large file is read
  if (!is_sound(kind) && !is_our_checkpoint(options.weights)) return imported(options);
  std::unique_ptr<Backbone> backbone = load_backbone(Checkpoint::load(options.weights), options.weights);
  const BackboneOptions& found = backbone->options();
  require<UsageError>(found.model == options.model, options.weights, " holds ", found.model, ", not ", options.model);
  require<UsageError>(!options.width || *options.width == found.width, options.weights, " holds a network of width ",
                      found.width, ", not ", options.width.value_or(0));
  return backbone;
}

// x [n, h, w, c] as f32 or u8; for a single sample, n may be omitted.
Tensor input_of(const Options& options) {
  const Checkpoint file = Checkpoint::load(options.input);
  const auto found = file.tensors.find("x");
  require<DataError>(found != file.tensors.end(), options.input, ": holds no tensor named x");
  Tensor x = found->second;
  const Shape shape = x.shape();
  if (shape.rank() == 3) x = x.reshape({1, shape[0], shape[1], shape[2]});
  require<DataError>(x.shape().rank() == 4 && x.size() > 0, options.input, ": x must be [n, h, w, c], got ", shape);
  return x.dtype() == DType::U8 ? x : ops::cast(x, DType::F32);
}

Tensor output_at(const BackboneOutput& output, const Options& options) {
  if (options.at == "pool") return output.pool.value();
  if (options.at == "logits" || options.at == "fc10") return output.logits.value();
  require<UsageError>(output.fc1024.defined(), options.weights,
                      " has its classes directly on the pool: there is no fc1024");
  return output.fc1024.value();
}

Tensor answer(Backbone& backbone, const Tensor& x, const Options& options) {
  const NoGrad no_grad;
  Tensor y;
  for (int64_t first = 0; first < x.shape()[0]; first += options.batch) {
    const int64_t count = std::min(options.batch, x.shape()[0] - first);
    const Tensor part = output_at(backbone.run(x.rows(first, count)), options);
    if (!y.defined()) y = Tensor::empty(part.shape().with(0, x.shape()[0]));
    y.rows(first, count).copy_from(part);
  }
  return y;
}

void run(const Options& options) {
  const Placement placement = use_device(options.compute);
  const std::unique_ptr<Backbone> backbone = network_of(options);
  place(*backbone, placement);
  const Tensor x = input_of(options);
  Checkpoint result;
  result.tensors["y"] = answer(*backbone, x, options);
  result.metadata = {{"model", options.model}, {"at", options.at}};
  result.save(options.output);
  spdlog::info("{}: y {} at {}", options.output, str(result.tensors["y"].shape()), options.at);
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Options options;
  avs::Program program("run_model", "What a trained backbone makes of a tensor",
                       "run_model --model vis-inc --weights runs/vis-inc/best.safetensors --input frames.safetensors "
                       "--output logits.safetensors\n"
                       "run_model --model vis-inc --weights inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 "
                       "--input frames.safetensors --output pool.safetensors --at pool\n"
                       "run_model --model aud-mel --weights runs/aud-mel/best.safetensors --input mel.safetensors "
                       "--output embedding.safetensors --at fc1024");
  avs::Flags& flags = program.flags();
  flags.add("--model", options.model, "aud-mel, aud-gam, aud-cqt, vis-inc or vis-conv").required();
  flags
      .add("--weights", options.weights,
           "a checkpoint, which knows its width and classes, or a published weight file (docs/weights.md)")
      .required();
  flags
      .add("--input", options.input,
           "a safetensors file with the tensor x: [n, h, w, 3] RGB 0..255 (f32 or u8) or [n, 128, 704, 6]")
      .required();
  flags.add("--output", options.output, "where to write the tensor y, [n, values]").required();
  flags.add("--at", options.at, "pool, fc1024 (after its ReLU) or logits (also called fc10, as in Phase II)")
      .one_of({"pool", "fc1024", "logits", "fc10"})
      .shows_default();
  flags.add("--width", options.width,
            "the width multiplier: of a checkpoint, to be sure; of other files, 1 unless given");
  flags.add("--batch", options.batch, "samples at once").positive().shows_default();
  avs::add_weight_options(flags, options.published);
  avs::add_compute_options(flags, options.compute);
  return program.run(argc, argv, [&] { avs::run(options); });
}
