#include "apps/train/backbone_training.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/train/trained.h"
#include "autograd/interrupt.h"
#include "autograd/profile.h"
#include "models/training/memory_plan.h"
#include "models/training/non_finite.h"
#include "models/training/predict.h"
#include "models/weights/import.h"
#include "tensor/require.h"
#include "tensor/version.h"

namespace avs {
namespace {

// In last.safetensors: what came from --weights, so that a run continues at the same learning rates without the file.
constexpr const char* kImportedKey = "imported";
constexpr const char* kWholeNetwork = "network";

bool wants(const BackboneTraining& options, const char* augmentation) {
  return std::ranges::find(options.augment, augmentation) != options.augment.end();
}

// SpecAugment's "LB" policy scaled to 128 bands and 704 frames; a shift of up to a second.
data::SpectrogramAugmentation sound_augmentation(const BackboneTraining& options) {
  data::SpectrogramAugmentation a;
  if (wants(options, "specaugment")) a.frequency_masks = a.time_masks = 2;
  if (wants(options, "shift")) a.time_shift_frames = 70;
  return a;
}

data::FrameAugmentation frame_augmentation(const BackboneTraining& options) {
  data::FrameAugmentation a;
  if (wants(options, "flip")) a.horizontal_flip = data::Flip::HalfTheTime;
  if (wants(options, "crop")) a.crop_min_area = 0.35;
  return a;
}

int64_t image_size_of(const BackboneTraining& options, const data::Cache& cache) {
  if (is_sound(modality_of(options.model))) return BackboneOptions().image_size;  // means nothing to it
  return options.image_size != 0 ? options.image_size : cache.options().frames.image_size;
}

// Statistics must have forgotten their start when a run ends, and most runs on small data sets end early.
double batch_norm_new_value_weight(const BackboneTraining& options, int64_t total_steps) {
  if (options.batch_norm_momentum > 0) return 1 - options.batch_norm_momentum;
  return std::clamp(20.0 / static_cast<double>(total_steps), 0.01, 0.1);
}

std::unique_ptr<data::Dataset> training_dataset(const BackboneTraining& options, const data::Cache& cache,
                                                Modality kind) {
  if (is_sound(kind))
    return std::make_unique<data::SpectrogramDataset>(cache, kind, data::Split::Train, sound_augmentation(options));
  return std::make_unique<data::FrameDataset>(cache, data::Split::Train,
                                              data::FrameDatasetOptions{.image_size = image_size_of(options, cache),
                                                                        .random_frames = options.frames_per_clip,
                                                                        .augmentation = frame_augmentation(options)});
}

nlohmann::json sums_to_json(const TrainingSums& s) { return {s.loss, s.correct, s.rows}; }
TrainingSums sums_from(const nlohmann::json& j) { return {j.at(0), j.at(1), j.at(2)}; }

}  // namespace

// ---- position ----

std::string RunPosition::to_json() const {
  return nlohmann::ordered_json{{"epoch", epoch},
                                {"batch", batch},
                                {"step", step},
                                {"metrics_lines", metrics_lines},
                                {"epoch_sums", sums_to_json(epoch_sums)},
                                {"interval_sums", sums_to_json(interval_sums)},
                                {"best_accuracy", best.accuracy},
                                {"best_log_loss", best.log_loss},
                                {"best_epoch", best_epoch}}
      .dump();
}

RunPosition RunPosition::from_json(const std::string& json) {
  const nlohmann::json j = nlohmann::json::parse(json);
  RunPosition p;
  p.epoch = j.at("epoch");
  p.batch = j.at("batch");
  p.step = j.at("step");
  p.metrics_lines = j.at("metrics_lines");
  p.epoch_sums = sums_from(j.at("epoch_sums"));
  p.interval_sums = sums_from(j.at("interval_sums"));
  p.best = {j.at("best_accuracy"), j.at("best_log_loss")};
  p.best_epoch = j.at("best_epoch");
  return p;
}

// ---- beginning ----

BackboneTrainer::BackboneTrainer(const BackboneTraining& options, const data::Cache& cache, RunFolder& run,
                                 Placement placement, const std::optional<WeightFile>& weights)
    : options_(options), cache_(cache), run_(run), placement_(placement) {
  const Modality kind = modality_of(options.model);
  train_set_ = training_dataset(options, cache, kind);
  require<DataError>(train_set_->size() > 0, cache.folder().string(), ": no training clip has what ", options.model,
                     " reads (", name_of(kind), ")");
  validation_set_ = evaluation_dataset(cache, kind, data::Split::Validation, image_size_of(options, cache));
  if (validation_set_->size() == 0) spdlog::warn("no validation clips: the last epoch counts as the best");
  loader_.emplace(*train_set_, data::LoaderOptions{.batch = options.learning.batch,
                                                   .order = data::Order::Shuffled,
                                                   .pixels = pixels_for(placement.device),
                                                   .workers = static_cast<int>(options.workers),
                                                   .seed = options.learning.seed});
  schedule_ = options.learning.schedule_over(loader_->batches_per_epoch() * options.learning.epochs);
  make_model(weights);
  log_.emplace(run.metrics(), MetricsSeen{position_.epoch, position_.step, position_.metrics_lines});
  if (log_->lost() > 0)
    spdlog::warn("{}: {} of the {} lines that {} has seen are lost", run.metrics().string(), log_->lost(),
                 log_->lines(), run.last().filename().string());
  clock_.emplace(log_->seconds_before());
  last_saved_seconds_ = clock_->seconds();
  spdlog::info("{}: {:.1f} M parameters; {} samples, {} steps an epoch; {} validation samples", options.model,
               static_cast<double>(model_->parameter_count()) / 1e6, train_set_->size(), loader_->batches_per_epoch(),
               validation_set_->size());
}

void BackboneTrainer::make_model(const std::optional<WeightFile>& weights) {
  const bool continues = std::filesystem::exists(run_.last());
  BackboneOptions network{
      .model = options_.model,
      .classes = train_set_->class_count(),
      .width = options_.width,
      .image_size = image_size_of(options_, cache_),
      .dropout = static_cast<float>(options_.dropout),
      .batch_norm_new_value_weight = static_cast<float>(batch_norm_new_value_weight(options_, schedule_.total_steps)),
      .seed = options_.learning.seed};
  Checkpoint last;
  if (continues) {
    last = Checkpoint::load(run_.last());
    require<DataError>(last.metadata.contains(kBackboneKey), run_.last().string(), ": says nothing of a backbone");
    network = backbone_options_from_json(last.metadata.at(kBackboneKey));
  } else if (weights) {
    network = weights->options(network);
  }
  model_ = make_backbone(network, continues || weights ? FirstWeights::NotDrawn : FirstWeights::Drawn);
  if (continues) {
    imported_ = last.metadata[kImportedKey];
  } else if (weights) {
    const ImportReport report = weights->load_into(*model_);
    log_import(report, options_.weights);
    if (!report.head_taken) model_->draw_head();
    imported_ = report.head_taken ? kWholeNetwork : "body";
  }
  place(*model_, placement_);
  choose_what_learns();
  model_->recompute_stages(options_.recompute);
  arena_.emplace(*model_);
  adam_.emplace(*arena_, options_.learning.adam_options());
  if (placement_.dtype == DType::F16) adam_->scale_losses();
  if (placement_.device.is_cuda() && !options_.no_graph) captured_.emplace(*model_, *adam_);
  if (options_.learning.ema > 0) average_.emplace(*arena_, static_cast<float>(options_.learning.ema));
  if (continues) resume(last);
}

// Before the arena is made, which leaves frozen parameters out and groups the others by learning rate.
void BackboneTrainer::choose_what_learns() {
  const auto was_imported = [&](const Parameter& parameter) {
    return imported_ == kWholeNetwork || (!imported_.empty() && !parameter.path.starts_with("head."));
  };
  for (Parameter* parameter : model_->parameters())
    if (was_imported(*parameter)) parameter->learning_rate_factor = options_.imported_lr;
  if (!options_.freeze.empty()) model_->freeze_through(options_.freeze);
  if (imported_.empty()) return;
  int64_t learning = 0;
  for (const Parameter* parameter : model_->parameters())
    if (parameter->variable.requires_grad()) learning += parameter->variable.value().size();
  const double rate = options_.learning.learning_rate;
  spdlog::info("{:.1f} M parameters learn{}: imported ones at {}, new ones at {}, schedule {}",
               static_cast<double>(learning) / 1e6, options_.freeze.empty() ? "" : " (behind " + options_.freeze + ")",
               rate * options_.imported_lr, imported_ == kWholeNetwork ? "none" : str(rate),
               options_.learning.schedule);
}

// A run that goes on with other clips, labels or splits is another run.
void BackboneTrainer::check_same_data(const data::Fingerprint& before) const {
  const data::Fingerprint& here = cache_.fingerprint();
  const std::string file = run_.last().string(), cache = cache_.folder().string();
  if (before.contents.empty() || here.contents.empty())
    spdlog::warn("{} was written before data had fingerprints: whether {} holds the run's clips is not known",
                 before.contents.empty() ? file : cache, cache);
  const bool same_length = position_.step == position_.epoch * loader_->batches_per_epoch() + position_.batch;
  const bool same_contents =
      same_length && (before.contents.empty() || here.contents.empty() || before.contents == here.contents);
  const bool same_labels = before.labels.empty() || before.labels == here.labels;
  require<DataError>(same_contents && same_labels, file, ": the run learned from other ",
                     same_contents ? "labels or splits" : "clips", " than ", cache,
                     " holds now; --resume continues the same run, another --out begins a new one");
}

void BackboneTrainer::resume(Checkpoint& last) {
  NamedTensors optimizer;
  for (auto it = last.tensors.begin(); it != last.tensors.end();) {
    const bool is_state = it->first.starts_with("adam.") || it->first.starts_with("ema/");
    if (is_state) optimizer.insert(*it);
    it = is_state ? last.tensors.erase(it) : std::next(it);
  }
  data::Fingerprint learned_from;
  try {
    const auto position = last.metadata.find("position");
    require<DataError>(position != last.metadata.end(), "it says nothing of a run's position");
    position_ = RunPosition::from_json(position->second);
    check_classes(strings_from_json(last.metadata["classes"]), cache_.classes(), "the run");
    if (const auto data = last.metadata.find("data"); data != last.metadata.end())
      learned_from = fingerprint_from_json(data->second);
    load_parameters(*model_, last);
    adam_->load_state(optimizer, position_.step);
    if (average_) average_->load_state(optimizer);
  } catch (const nlohmann::json::exception& error) {
    throw DataError(str(run_.last().string(), ": damaged metadata: ", error.what()));
  } catch (DataError& error) {
    error.add_context("in " + run_.last().string());
    throw;
  }
  check_same_data(learned_from);
  spdlog::info("continuing after epoch {}, step {}", position_.epoch, position_.step);
  if (position_.best_epoch > 0 && !std::filesystem::exists(run_.best())) {
    spdlog::warn("{}: is gone; the best of the epochs to come takes its place", run_.best().string());
    position_.best = {};
    position_.best_epoch = 0;
  }
}

// ---- the loop ----

void BackboneTrainer::train() {
  while (position_.epoch < options_.learning.epochs) {
    try {
      train_epoch();
      finish_epoch();
    } catch (const Interrupted&) {
      restore_buffers();
      save_last();
      throw;
    } catch (OutOfMemory& error) {
      error.add_context(str("in step ", position_.step + 1, ", epoch ", position_.epoch + 1));
      captured_.reset();
      arena_->zero_gradients();
      error.add_context(what_would_fit(*model_, *adam_, {options_.learning.mixup_options().scheme, !options_.no_graph},
                                       options_.learning.batch, options_.recompute));
      throw;
    } catch (Error& error) {
      error.add_context(str("in step ", position_.step + 1, ", epoch ", position_.epoch + 1));
      throw;
    }
  }
}

void BackboneTrainer::train_epoch() {
  loader_->start_epoch(position_.epoch, position_.batch);
  Progress progress(loader_->batches_per_epoch() - position_.batch,
                    fmt::format("epoch {}/{}", position_.epoch + 1, options_.learning.epochs));
  while (const std::optional<data::Batch> batch = loader_->next()) {
    make_step(*batch);
    progress.set_note(fmt::format("loss {:.4f}", position_.epoch_sums.mean_loss()));
    progress.advance();
    if (checkpoint_is_due()) save_last();
  }
  finish_steps();
}

// On a GPU the result that comes back is of the step before: position_ counts what is known, started_steps() what was
// begun.
void BackboneTrainer::make_step(const data::Batch& batch) {
  stop_if_interrupted();
  // A run that continues with an epoch's short last batch must not capture that one.
  const bool is_full = batch.targets.shape()[0] == std::min(options_.learning.batch, train_set_->size());
  const bool is_profiled = profile_is_due();
  const bool in_graph = !is_profiled && is_full && captured_ && captured_->takes(batch.samples, batch.targets);
  if (!in_graph) {
    finish_steps();
    if (captured_) captured_->forget();  // both kinds of step at once would take twice the memory
  }
  const int64_t step = started_steps();
  const StepSettings settings{.seed = options_.learning.seed,
                              .step = step,
                              .learning_rate = schedule_.learning_rate(step),
                              .mixup = options_.learning.mixup_options()};
  std::optional<StepResult> result;
  if (in_graph) {
    result = captured_->start(batch.samples, batch.targets, settings);
  } else {
    remember_buffers();
    result = is_profiled ? profiled_step(batch, settings)
                         : train_step(*model_, *adam_, batch.samples, batch.targets, settings);
  }
  if (average_) average_->update(step + 1);
  if (result) after_step(*result);
}

// The second step, since the first one warms up; or the only one.
bool BackboneTrainer::profile_is_due() {
  const bool is_last = started_steps() + 1 >= schedule_.total_steps;
  ++steps_here_;
  return !options_.profile.empty() && (steps_here_ == 2 || (steps_here_ == 1 && is_last));
}

StepResult BackboneTrainer::profiled_step(const data::Batch& batch, const StepSettings& settings) {
  profile::Timeline timeline(model_->device());
  const StepResult result = train_step(*model_, *adam_, batch.samples, batch.targets, settings);
  const std::string title = str(options_.model, " on ", model_->device(), ", step ", settings.step + 1);
  write_text(options_.profile, profile::chrome_trace(timeline.spans(), title));
  spdlog::info("profile of step {}: {} (chrome://tracing or ui.perfetto.dev shows it)", settings.step + 1,
               options_.profile);
  return result;
}

void BackboneTrainer::finish_steps() {
  while (started_steps() > position_.step) after_step(*captured_->finish());
}

void BackboneTrainer::after_step(const StepResult& result) {
  ++position_.batch;
  ++position_.step;
  position_.epoch_sums.add(result.loss, result.accuracy, result.rows);
  position_.interval_sums.add(result.loss, result.accuracy, result.rows);
  buffers_before_.clear();
  if (result.skipped)
    spdlog::info("step {}: a gradient left the range of f16 and nothing moved; the loss scale is {} now",
                 position_.step, result.loss_scale);
  if (position_.step % options_.log_steps != 0) return;
  log_->write(step_line({.epoch = position_.epoch + 1,
                         .step = position_.step,
                         .sums = position_.interval_sums,
                         .l2 = result.l2 ? *result.l2 : adam_->l2_penalty(),
                         .learning_rate = schedule_.learning_rate(position_.step - 1),
                         .seconds = clock_->seconds(),
                         .peak_bytes = context(model_->device()).memory().peak_bytes,
                         .loss_scale = adam_->scales_losses() ? result.loss_scale : 0}));
  position_.metrics_lines = log_->lines();
  position_.interval_sums = {};
}

void BackboneTrainer::finish_epoch() {
  std::optional<Evaluation> validation;
  if (validation_set_->size() > 0) validation = validate();
  const Score score = validation ? Score{validation->micro_accuracy, validation->log_loss} : Score{};
  const bool is_best = !validation || better(score, position_.best);
  LogLine line{.epoch = position_.epoch + 1,
               .step = position_.step,
               .sums = position_.epoch_sums,
               .l2 = adam_->l2_penalty(),
               .learning_rate = schedule_.learning_rate(position_.step - 1),
               .seconds = clock_->seconds(),
               .peak_bytes = context(model_->device()).memory().peak_bytes};
  log_->write(epoch_line(line, validation ? &*validation : nullptr, is_best));
  spdlog::info("epoch {:>3}  loss {:.4f}  accuracy {:5.1f} %{}  {}  {}", line.epoch, line.sums.mean_loss(),
               100 * line.sums.accuracy(),
               validation ? fmt::format("  validation {:5.1f} % log loss {:.3f}{}", 100 * validation->micro_accuracy,
                                        validation->log_loss, is_best ? " (best)" : "")
                          : "",
               as_clock(line.seconds), str(context(model_->device()).memory()));
  ++position_.epoch;
  position_.batch = 0;
  position_.epoch_sums = {};
  position_.metrics_lines = log_->lines();
  if (is_best) {
    position_.best = score;
    position_.best_epoch = position_.epoch;
    save_best();
  }
  save_last();
}

Evaluation BackboneTrainer::validate() {
  std::optional<WeightAverage::InUse> averaged;
  if (average_) averaged.emplace(*average_);
  return validate(*model_);
}

Evaluation BackboneTrainer::validate(Backbone& model) const {
  Inference inference(model);
  return evaluate(run_clips(inference, *validation_set_, options_.learning.batch, static_cast<int>(options_.workers)),
                  cache_);
}

std::optional<Evaluation> BackboneTrainer::best_validation() const {
  if (validation_set_->size() == 0) return std::nullopt;
  const TrainedBackbone best = load_trained_backbone(run_.best());
  place(*best.net, placement_);
  return validate(*best.net);
}

// ---- checkpoints ----

bool BackboneTrainer::checkpoint_is_due() {
  const bool by_steps = options_.checkpoint_steps > 0 && started_steps() % options_.checkpoint_steps == 0;
  return by_steps || clock_->seconds() - last_saved_seconds_ >= 60 * options_.checkpoint_minutes;
}

Checkpoint BackboneTrainer::weights_checkpoint() const {
  Checkpoint checkpoint;
  store_parameters(*model_, checkpoint);
  checkpoint.metadata = {{kBackboneKey, to_json(model_->options())},
                         {"classes", strings_to_json(cache_.classes())},
                         {"inputs", inputs_to_json(cache_.options())},
                         {"config", identity_toml(options_)},
                         {"data", fingerprint_to_json(cache_.fingerprint())},
                         {"seed", str(options_.learning.seed)},
                         {"versions", engine_version()}};
  return checkpoint;
}

void BackboneTrainer::save_best() {
  std::optional<WeightAverage::InUse> averaged;
  if (average_) averaged.emplace(*average_);
  Checkpoint checkpoint = weights_checkpoint();
  checkpoint.metadata["epoch"] = str(position_.best_epoch);
  checkpoint.metadata["step"] = str(position_.step);
  if (position_.best.accuracy >= 0) {
    checkpoint.metadata["validation_accuracy"] = fmt::format("{}", position_.best.accuracy);
    checkpoint.metadata["validation_log_loss"] = fmt::format("{}", position_.best.log_loss);
  }
  checkpoint.save(run_.best());
}

void BackboneTrainer::save_last() {
  finish_steps();
  const std::string bad = first_non_finite_parameter(*model_);
  if (!bad.empty()) throw NumericError(str("no checkpoint is written: ", bad));
  Checkpoint checkpoint = weights_checkpoint();
  checkpoint.tensors.merge(adam_->state());
  if (average_) checkpoint.tensors.merge(average_->state());
  checkpoint.metadata["position"] = position_.to_json();
  if (!imported_.empty()) checkpoint.metadata[kImportedKey] = imported_;
  log_->flush();  // a checkpoint must not have seen lines that a power cut takes away
  checkpoint.save(run_.last());
  last_saved_seconds_ = clock_->seconds();
}

void BackboneTrainer::remember_buffers() {
  buffers_before_.clear();
  for (const Buffer* buffer : model_->buffers()) buffers_before_.push_back(buffer->value.clone());
}

void BackboneTrainer::restore_buffers() {
  if (buffers_before_.empty()) return;
  size_t i = 0;
  for (Buffer* buffer : model_->buffers()) buffer->value.copy_from(buffers_before_[i++]);
}

}  // namespace avs
