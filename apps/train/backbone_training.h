// Phase I: training one backbone on a cache, in a RUN folder, so that it can be killed at any moment.
//
// A step is a function of (options, step, weights): order, augmentation, mixup and dropout are drawn from
// (seed, epoch, sample) or (seed, step), learning rates from the step. So last.safetensors needs no generator's state:
// it holds weights, statistics, Adam's moments, averaged weights, and how many steps were made, and a run that
// continues from it computes the same bits as one that never stopped. Nothing in a checkpoint depends on the clock.
#pragma once

#include <memory>
#include <optional>

#include "apps/cli/compute_options.h"
#include "apps/cli/progress.h"
#include "apps/train/options.h"
#include "apps/train/run_folder.h"
#include "layers/optim/weight_average.h"
#include "models/backbone.h"
#include "models/data/loader.h"
#include "models/training/captured_step.h"
#include "models/training/metrics.h"
#include "models/training/run_log.h"
#include "models/training/step.h"
#include "models/weights/import.h"

namespace avs {

// The position of a run, besides its tensors.
struct RunPosition {
  int64_t epoch = 0, batch = 0, step = 0;  // batches of this epoch and steps of the run that are done
  int64_t metrics_lines = 0;
  TrainingSums epoch_sums, interval_sums;  // since the epoch began, since the last step line
  Score best;
  int64_t best_epoch = 0;  // from 1; 0: none yet

  std::string to_json() const;
  static RunPosition from_json(const std::string& json);
};

class BackboneTrainer {
 public:
  // `run` is locked; `options` are checked. DataError: the cache lacks what the model reads, or last.safetensors
  // belongs to another model or other data. Continues from last.safetensors where there is one; else `weights` are
  // where the network begins.
  BackboneTrainer(const BackboneTraining& options, const data::Cache& cache, RunFolder& run, Placement placement = {},
                  const std::optional<WeightFile>& weights = {});

  // Trains to the end. Interrupted after a checkpoint was written; NumericError without one.
  void train();

  Backbone& model() { return *model_; }
  const RunPosition& position() const { return position_; }
  // Evaluates best.safetensors on the validation clips, so that a continued run reports what an undisturbed one
  // does. Empty without validation clips.
  std::optional<Evaluation> best_validation() const;

 private:
  void make_model(const std::optional<WeightFile>& weights);
  void choose_what_learns();
  void resume(Checkpoint& last);
  void check_same_data(const data::Fingerprint& before) const;
  void train_epoch();
  void make_step(const data::Batch& batch);
  void finish_steps();  // until the result of every step that was started is known
  int64_t started_steps() const { return position_.step + (captured_ ? captured_->under_way() : 0); }
  void finish_epoch();
  bool checkpoint_is_due();
  bool profile_is_due();
  StepResult profiled_step(const data::Batch& batch, const StepSettings& settings);
  void after_step(const StepResult& result);
  Evaluation validate();
  Evaluation validate(Backbone& model) const;
  void save_best();
  void save_last();
  Checkpoint weights_checkpoint() const;  // shares the model's memory

  // BatchNorm writes its statistics during a forward pass; a step that is broken off must not have happened.
  void remember_buffers();
  void restore_buffers();

  const BackboneTraining& options_;
  const data::Cache& cache_;
  RunFolder& run_;
  const Placement placement_;
  std::unique_ptr<Backbone> model_;
  std::unique_ptr<data::Dataset> train_set_, validation_set_;
  std::optional<ParameterArena> arena_;
  std::optional<Adam> adam_;
  std::optional<CapturedStep> captured_;  // on a GPU
  std::optional<WeightAverage> average_;
  std::optional<data::Loader> loader_;
  std::optional<MetricsLog> log_;
  std::optional<RunClock> clock_;
  Schedule schedule_;
  std::string imported_;  // the part that --weights filled: "body", "network" or nothing
  RunPosition position_;
  std::vector<Tensor> buffers_before_;
  double last_saved_seconds_ = 0;
  int64_t steps_here_ = 0;  // this process made them
};

}  // namespace avs
