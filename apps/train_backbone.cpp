// train_backbone: trains a backbone on a cache and writes a RUN folder (Phase I).
#include <spdlog/spdlog.h>

#include <iostream>
#include <utility>

#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "apps/data/prepare.h"
#include "apps/report/reports.h"
#include "apps/train/backbone_training.h"
#include "models/checkpoint.h"
#include "models/training/memory_plan.h"
#include "tensor/require.h"

namespace avs {
namespace {

constexpr const char* kExamples =
    "train_backbone --model aud-mel --cache tau.cache --out runs/aud-mel --epochs 30\n"
    "train_backbone --model vis-inc --data my_videos --out runs/vis-inc --width 0.25 --schedule one-cycle --lr 2e-3\n"
    "train_backbone --model vis-inc --cache my.cache --out runs/vis-inc --epochs 6 --batch 16 --weights "
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 --freeze mixed2\n"
    "train_backbone --out runs/aud-mel --resume        # continues where it was stopped or killed\n"
    "train_backbone --config runs/aud-mel/config.toml --seed 2 --out runs/aud-mel-2";

// Without a config.toml, the flags must equal those in the run's last checkpoint.
void check_same_flags(const BackboneTraining& options, const RunFolder& run) {
  const auto metadata = Checkpoint::load_metadata(run.last());
  const auto config = metadata.find("config");
  require<UsageError>(config != metadata.end() && config->second == identity_toml(options), run.config().string(),
                      ": is gone, and these are not the flags that the run began with; inspect_checkpoint ",
                      run.last().string(), " shows them (config)");
}

// The options of this start: new, or a resumed run's from its folder.
BackboneTraining settle(const BackboneTraining& given, const Flags& flags, const RunFolder& run) {
  require<UsageError>(given.resume || !run.has_training(), given.out,
                      ": a run is there already; give --resume or choose another --out");
  BackboneTraining options = given;
  if (given.resume && std::filesystem::exists(run.config())) {
    options = resumed_options(given, flags, run.config().string());
  } else {
    apply_fine_tuning_defaults(options, flags);
    if (std::filesystem::exists(run.last())) check_same_flags(options, run);
  }
  if (given.resume && !std::filesystem::exists(run.last()))
    spdlog::info("nothing to continue in {}: the run begins", given.out);
  check(options);
  return options;
}

data::Cache open_cache(const BackboneTraining& options, const RunFolder& run) {
  if (options.data.empty()) return data::Cache::open(options.cache);
  data::PrepareOptions prepare;
  prepare.data = options.data;
  prepare.cache = run.folder() / "cache";
  prepare.workers = static_cast<int>(std::max<int64_t>(1, options.workers));
  if (options.image_size != 0) prepare.arrays.frames.image_size = options.image_size;
  spdlog::info("preparing {} in {}", options.data, prepare.cache.string());
  const data::PrepareReport report = [&] {
    try {
      return data::prepare(prepare);
    } catch (const Interrupted&) {
      throw Interrupted("interrupted while preparing; the same command continues");
    }
  }();
  spdlog::info("{}", data::describe(report));
  require<DataError>(report.failure.empty(), options.data, ": ", report.failure);
  return data::Cache::open(prepare.cache);
}

void show_memory_plan(const BackboneTraining& options, const data::Cache& cache, Placement placement) {
  PlannedRun planned;
  planned.network = {.model = options.model,
                     .classes = static_cast<int64_t>(cache.classes().size()),
                     .width = options.width,
                     .image_size = options.image_size != 0 ? options.image_size : cache.options().frames.image_size};
  planned.placement = placement;
  planned.pattern = {options.learning.mixup_options().scheme, !options.no_graph};
  planned.recompute = options.recompute;
  planned.averaged_weights = options.learning.ema > 0;
  const MemoryPlan plan = plan_memory(planned);
  std::vector<MemoryNeed> needs;
  for (const int64_t batch : {(options.learning.batch + 1) / 2, options.learning.batch, 2 * options.learning.batch})
    needs.push_back(plan.at(batch));
  context(placement.device).release_cached();  // the run starts with an empty allocator
  context(placement.device).reset_peak();
  spdlog::info("memory plan of {}:\n{}", options.model, table_of(needs));
}

void write_report(const BackboneTraining& options, const BackboneTrainer& trainer, const RunFolder& run) {
  write_text(run.report(), report::run_report({.name = run.folder().filename().string(),
                                               .description = str(options.model, " at width ", options.width, ", ",
                                                                  options.learning.epochs, " epochs, best epoch ",
                                                                  trainer.position().best_epoch),
                                               .config_toml = read_text(run.config()),
                                               .metrics_jsonl = read_text(run.metrics()),
                                               .validation = trainer.best_validation()}));
}

void train(const BackboneTraining& given, const Flags& flags) {
  const InterruptSignals signals;
  RunFolder run(given.out);
  const BackboneTraining options = settle(given, flags, run);
  std::optional<WeightFile> weights;  // a wrong file is an error before data are prepared for minutes
  if (!options.weights.empty() && !std::filesystem::exists(run.last()))
    weights.emplace(options.weights, options.model, options.published.import());
  const Placement placement = use_device(options.compute);
  const data::Cache cache = open_cache(options, run);
  if (given.memory_plan) show_memory_plan(options, cache, placement);
  BackboneTrainer trainer(options, cache, run, placement, std::exchange(weights, std::nullopt));
  write_text(run.config(), to_toml(options));
  try {
    trainer.train();
  } catch (const Interrupted&) {
    throw Error(str("interrupted after step ", trainer.position().step, "; continue with: train_backbone --out ",
                    given.out, " --resume"));
  } catch (NumericError& error) {
    error.add_context(str("the last good checkpoint is ", run.last().string(),
                          std::filesystem::exists(run.last()) ? "" : " (none was written yet)"));
    throw;
  }
  require<DataError>(std::filesystem::exists(run.best()), run.best().string(),
                     ": is gone, and the run is at its end; more --epochs with --resume make one");
  write_report(options, trainer, run);
  const Score best = trainer.position().best;
  std::cout << options.model << ": best epoch " << trainer.position().best_epoch << " of " << options.learning.epochs;
  if (best.accuracy >= 0)
    std::cout << ", validation accuracy " << 100 * best.accuracy << " %, log loss " << best.log_loss;
  std::cout << '\n' << run.best().string() << '\n';
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("train_backbone", "Trains one of the five backbones (Phase I of the two-phase training).",
                       avs::kExamples);
  avs::BackboneTraining options;
  avs::add_options(program.flags(), options);
  return program.run(argc, argv, [&] { avs::train(options, program.flags()); });
}
