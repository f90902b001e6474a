// train_fusion: trains a fusion on the embeddings of frozen backbones (Phase II).
#include <spdlog/spdlog.h>

#include <iostream>

#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "apps/report/reports.h"
#include "apps/train/options.h"
#include "apps/train/run_folder.h"
#include "apps/train/trained.h"
#include "models/training/fusion_training.h"
#include "models/training/run_log.h"
#include "tensor/require.h"
#include "tensor/version.h"

namespace avs {
namespace {

FusionData split_rows(const EmbeddingSet& set, const std::vector<std::string>& names, EmbeddingLayer layer) {
  FusionData data{select_rows(set, data::Split::Train, names, layer),
                  select_rows(set, data::Split::Validation, names, layer), set.classes};
  spdlog::info("{} training and {} validation clips, {} embeddings of {} values", data.train.size(),
               data.validation.size(), names.size(), data.train.x.front().shape()[1]);
  if (const int64_t left_out = data.train.left_out + data.validation.left_out; left_out > 0)
    spdlog::warn("left out: {} clips that lack one of the embeddings", left_out);
  if (data.validation.size() == 0) spdlog::warn("no validation clips: the last epoch counts as the best");
  return data;
}

// The backbones in the order of the fusion's inputs, with paths relative to its RUN folder.
std::vector<FusionInput> inputs_of(const EmbeddingSet& set, const std::vector<std::string>& names,
                                   const std::filesystem::path& folder) {
  std::vector<FusionInput> inputs;
  for (const std::string& name : names) {
    const BackboneSource& source = set.backbone(name).source;
    inputs.push_back({source, std::filesystem::path(source.run).lexically_relative(folder).string()});
  }
  return inputs;
}

Checkpoint checkpoint_of(TrainedFusion& trained, const FusionTraining& options, const EmbeddingSet& set,
                         const std::filesystem::path& folder) {
  Checkpoint checkpoint;
  store_parameters(*trained.net, checkpoint);
  const FusionOptions& fusion = trained.net->options();
  checkpoint.metadata = {{kFusionKey, to_json(fusion)},
                         {"classes", strings_to_json(set.classes)},
                         {"backbones", fusion_inputs_to_json(inputs_of(set, fusion.inputs, folder))},
                         {"config", identity_toml(options)},
                         {"seed", str(options.learning.seed)},
                         {"epoch", str(trained.best_epoch)},
                         {"validation_accuracy", str(trained.validation.micro_accuracy)},
                         {"versions", engine_version()}};
  return checkpoint;
}

void train(const FusionTraining& options) {
  check(options);
  const Device device = use_device(options.compute).device;
  const EmbeddingSet set = merge({options.embeddings.begin(), options.embeddings.end()});
  warn_of_unchecked(set);
  FusionOptions fusion{.method = fusion_method_of(options.method),
                       .inputs = options.use.empty() ? set.names() : options.use,
                       .classes = static_cast<int64_t>(set.classes.size()),
                       .activation = options.relu ? Activation::Relu : Activation::None,
                       .seed = options.learning.seed};
  const FusionData data = split_rows(set, fusion.inputs, layer_of(fusion.method));
  fusion.embedding_size = data.train.x.front().shape()[1];

  const RunFolder run(options.out);
  require<UsageError>(options.overwrite || !std::filesystem::exists(run.best()), options.out,
                      ": a trained fusion is there already; choose another --out or give --overwrite");
  // Removes old weights before new flags are written: a killed run must not mix them.
  remove_file(run.report());
  remove_file(run.best());
  write_text(run.config(), to_toml(options));
  MetricsLog log(run.metrics());
  const InterruptSignals signals;
  const RunClock clock;
  TrainedFusion trained = train_fusion(
      data, fusion, options.learning, [&](const std::string& line) { log.write(line); }, device);
  log.flush();
  checkpoint_of(trained, options, set, run.folder()).save(run.best());
  write_text(
      run.report(),
      report::run_report(
          {.name = run.folder().filename().string(),
           .description = str(options.method, " of ", fusion.inputs.size(), " embeddings, ", trained.epochs, " epochs"),
           .config_toml = read_text(run.config()),
           .metrics_jsonl = read_text(run.metrics()),
           .validation = trained.validation.clips > 0 ? std::optional(trained.validation) : std::nullopt}));
  std::cout << options.method << " of " << fusion.inputs.size() << " embeddings: best epoch " << trained.best_epoch
            << " of " << trained.epochs;
  if (trained.validation.clips > 0)
    std::cout << ", validation accuracy " << 100 * trained.validation.micro_accuracy << " % of "
              << trained.validation.clips << " clips, log loss " << trained.validation.log_loss;
  std::cout << '\n';
  spdlog::info("{:.1f} s; {}", clock.seconds(), run.best().string());
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program(
      "train_fusion", "Trains a fusion of embeddings (Phase II of the two-phase training).",
      "train_fusion --embeddings all.safetensors --method f4 --out runs/f4\n"
      "train_fusion --embeddings all.safetensors --method f4 --use aud-mel,aud-gam,aud-cqt --out runs/audio\n"
      "train_fusion --embeddings audio.safetensors --embeddings visual.safetensors --method f1 --out runs/f1");
  avs::FusionTraining options;
  avs::add_options(program.flags(), options);
  return program.run(argc, argv, [&] { avs::train(options); });
}
