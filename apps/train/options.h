// The flags of train_backbone and train_fusion as plain structs. One list per struct (visit_options) serves the command
// line, config.toml, the checkpoint's metadata and the check that a resumed run is the same run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/cli/compute_options.h"
#include "apps/cli/weight_options.h"
#include "models/training/learning_options.h"

namespace avs {

struct BackboneTraining {
  std::string model, cache, data, out, weights;
  std::string freeze;       // the last stage that stays as it is; empty: all learn
  WeightOptions published;  // overrides the origin of a published file
  double imported_lr = 1;   // learning rate of what `weights` filled, in shares of learning_rate
  double width = 1.0;
  int64_t image_size = 0;  // 0: the cache's
  double dropout = 0.2;
  double batch_norm_momentum = 0;    // 0: by the number of steps
  std::vector<std::string> augment;  // flip, crop, specaugment, shift
  int64_t frames_per_clip = 1;       // random ones, each epoch; 0: all
  LearningOptions learning;
  ComputeOptions compute;
  int64_t workers = 1;
  double checkpoint_minutes = 10;
  bool recompute = false, no_graph = false, memory_plan = false;
  int64_t checkpoint_steps = 0;  // 0: by the clock only
  int64_t log_steps = 20;
  std::string profile;  // the file for the timeline of one step; empty: none
  bool resume = false;
};

struct FusionTraining {
  std::vector<std::string> embeddings;
  std::string method, out;
  std::vector<std::string> use;  // empty: all
  bool relu = false, overwrite = false;
  LearningOptions learning = {.epochs = 0, .batch = 128, .learning_rate = 2e-3, .schedule = "cosine"};
  ComputeOptions compute = {.device = "cpu", .dtype = "f32", .threads = 1};  // a step is too small to share
};

// The effect of a value on a run: Identity belongs to the result and its checkpoints; Place may differ between runs with
// the same result (paths, threads, how often to save); Action is about this start only and is written nowhere.
enum class Role : uint8_t { Identity, Place, Action };

// visit(name without dashes, field, role, help)
template <typename Options, typename Visit>
void visit_learning(Options& o, const Visit& visit) {
  visit("epochs", o.epochs, Role::Identity, "passes over the training split (train_fusion: 0 chooses by the clips)");
  visit("batch", o.batch, Role::Identity, "samples per step, before mixup");
  visit("lr", o.learning_rate, Role::Identity,
        "learning rate of Adam (the peak of a schedule; with --weights: 0.001 unless given)");
  visit("schedule", o.schedule, Role::Identity,
        "constant, cosine (with warm-up) or one-cycle (with --weights: cosine unless given)");
  visit("warm-up", o.warm_up, Role::Identity, "share of the steps in which --schedule cosine rises");
  visit("mixup", o.mixup, Role::Identity, "author (two mixes and the originals), beta (one mix) or none");
  visit("mixup-alpha", o.mixup_alpha, Role::Identity, "alpha of mixup's Beta(alpha, alpha)");
  visit("l2", o.l2, Role::Identity, "L2 on weights (not on biases and norms), added to the gradient");
  visit("adam-epsilon", o.adam_epsilon, Role::Identity, "Adam's epsilon");
  visit("epsilon-placement", o.epsilon_placement, Role::Identity, "hat (Keras) or corrected (PyTorch)");
  visit("max-gradient-norm", o.max_gradient_norm, Role::Identity, "scale gradients down to this norm; 0: never");
  visit("ema", o.ema, Role::Identity, "evaluate averaged weights with this decay, such as 0.999; 0: the weights");
  visit("seed", o.seed, Role::Identity, "of weights, order, mixup, dropout and augmentation");
}

template <typename Options, typename Visit>
void visit_options(Options& o,
                   const Visit& visit) requires std::same_as<std::remove_const_t<Options>, BackboneTraining> {
  visit("model", o.model, Role::Identity, "aud-mel, aud-gam, aud-cqt, vis-inc or vis-conv");
  visit("cache", o.cache, Role::Place, "a cache made by prepare");
  visit("data", o.data, Role::Place, "a data set; its cache is made at RUN/cache first (prepare has more options)");
  visit("out", o.out, Role::Action, "the RUN folder to make");
  visit("resume", o.resume, Role::Action, "continue the run in --out, or begin it if there is none");
  visit("width", o.width, Role::Identity, "multiplies every channel count of the network's body");
  visit("weights", o.weights, Role::Place, "begin from a checkpoint, or for frames from a published ImageNet file");
  visit("pool-padding", o.published.pool_padding, Role::Identity, kPoolPaddingHelp);
  visit("input-scale", o.published.input_scale, Role::Identity, kInputScaleHelp);
  visit(
      "freeze", o.freeze, Role::Identity,
      "keep this stage of --weights and all before it as they are, BatchNorm's statistics too, such as mixed5, stage1");
  visit("imported-lr", o.imported_lr, Role::Identity,
        "learning rate of the layers that --weights filled, in shares of --lr (with --weights: 0.1 unless given)");
  visit("image-size", o.image_size, Role::Identity, "pixels of a frame's side, 75 to 512; 0: the cache's");
  visit("dropout", o.dropout, Role::Identity, "dropout of the network's head");
  visit("batch-norm-momentum", o.batch_norm_momentum, Role::Identity,
        "share of BatchNorm's statistics kept at each step; 0: 1 - 20 / steps, between 0.9 (PyTorch) and 0.99 (Keras)");
  visit("augment", o.augment, Role::Identity, "any of flip,crop (frames), specaugment,shift (spectrograms)");
  visit("frames-per-clip", o.frames_per_clip, Role::Identity, "frames drawn at random from a clip per epoch; 0: all");
  visit_learning(o.learning, visit);
  visit("device", o.compute.device, Role::Place, "auto, cpu, cuda or cuda:N");
  visit("dtype", o.compute.dtype, Role::Identity, "auto, f32, bf16 or f16; the CPU computes in f32");
  visit("deterministic", o.compute.deterministic, Role::Action, kDeterministicHelp);
  visit("fast", o.compute.fast, Role::Place, kFastHelp);
  visit("tf32", o.compute.tf32, Role::Place, kTf32Help);
  visit("threads", o.compute.threads, Role::Place, "threads of the computation; 0: one per core");
  visit("memory-limit", o.compute.memory_limit_bytes, Role::Place, "most memory for tensors, such as 4GB; 0: no limit");
  visit("recompute", o.recompute, Role::Place,
        "keep only what enters each stage and compute the rest again in backward: less memory, a third more work");
  visit(
      "memory-plan", o.memory_plan, Role::Action,
      "first print what training takes at this --batch, half and twice of it (program memory_plan: without training)");
  visit("no-graph", o.no_graph, Role::Place, "on a GPU: start each kernel by itself instead of the step as one graph");
  visit("workers", o.workers, Role::Place, "threads that prepare batches; results do not depend on them");
  visit("checkpoint-minutes", o.checkpoint_minutes, Role::Place,
        "save last.safetensors this often, besides epoch ends");
  visit("checkpoint-steps", o.checkpoint_steps, Role::Place, "save it every so many steps too; 0: no");
  visit("profile", o.profile, Role::Action,
        "write the second step function by function to this file, for chrome://tracing; on a GPU by its own clock");
  visit("log-steps", o.log_steps, Role::Identity, "steps between two lines of metrics.jsonl");
}

template <typename Options, typename Visit>
void visit_options(Options& o, const Visit& visit) requires std::same_as<std::remove_const_t<Options>, FusionTraining> {
  visit("embeddings", o.embeddings, Role::Place, "embeddings of extract_embeddings; several files of the same clips");
  visit("method", o.method, Role::Identity, "f1 .. f6 (f1 to f3 fuse fc1024, f4 to f6 fc10)");
  visit("use", o.use, Role::Identity, "names of the backbones to fuse, joined by commas; default: all");
  visit("out", o.out, Role::Action, "the RUN folder to make");
  visit("overwrite", o.overwrite, Role::Action, "train again where a finished run stands");
  visit("relu", o.relu, Role::Identity, "a ReLU on every sum, as the author's older code has");
  visit_learning(o.learning, visit);
  visit("threads", o.compute.threads, Role::Place, "threads of the computation; 0: one per core");
  visit("device", o.compute.device, Role::Place, "auto, cpu, cuda or cuda:N");
}

// ---- what the lists are used for ----

void add_options(Flags& flags, BackboneTraining& options);
void add_options(Flags& flags, FusionTraining& options);

std::string to_toml(const BackboneTraining& options);
std::string to_toml(const FusionTraining& options);

// name -> value in TOML, of the Identity options: what a checkpoint says of how it was trained.
std::string identity_toml(const BackboneTraining& options);
std::string identity_toml(const FusionTraining& options);

// Fine-tuning's defaults instead of Phase I's, for the flags that were not given: a warm-up and a cosine, the
// new head at 0.001, and the layers that --weights filled at a tenth of that, which is Phase I's rate. Nothing without
// --weights.
void apply_fine_tuning_defaults(BackboneTraining& options, const Flags& flags);

// UsageError when a value makes no sense on its own.
void check(const BackboneTraining& options);
void check(const FusionTraining& options);

// The options of a resumed run: those of config.toml, with what was given on this command line where that may change.
// UsageError lists Identity options that were given and differ; `epochs` may grow or shrink under a constant schedule.
BackboneTraining resumed_options(const BackboneTraining& given, const Flags& flags, const std::string& config_file);

}  // namespace avs
