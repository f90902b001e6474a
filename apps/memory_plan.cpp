// memory_plan: predicts the memory of training and inference for several batch sizes.
#include "models/training/memory_plan.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/compute_options.h"
#include "apps/cli/program.h"
#include "cuda/api.h"
#include "models/file.h"
#include "tensor/require.h"

namespace avs {
namespace {

constexpr const char* kExamples =
    "memory_plan --model vis-inc --batch 8,16,32 --recompute\n"
    "memory_plan --model aud-mel --device cuda --dtype bf16 --fits 4GB\n"
    "memory_plan --model vis-conv --batch 8 --measure        # and what the allocator really counts";

struct Options {
  std::vector<std::string> models;
  std::vector<int64_t> batches = {1, 8, 16, 32, 64, 128};
  BackboneOptions network;
  std::string mixup = "author", json;
  bool recompute = false, averaged_weights = false, no_graph = false, measure = false, table = false;
  uint64_t fits = 0;
  ComputeOptions compute;
};

PlannedRun run_of(const Options& options, const std::string& model, Placement placement) {
  PlannedRun run;
  run.network = options.network;
  run.placement = placement;
  run.network.model = model;
  run.pattern = {.mixup = mixup_scheme_of(options.mixup), .as_graph = !options.no_graph};
  run.recompute = options.recompute;
  run.averaged_weights = options.averaged_weights;
  return run;
}

nlohmann::ordered_json json_of(const std::string& model, const MemoryNeed& n) {
  return {{"model", model},
          {"batch", n.batch},
          {"parameters", n.parameters},
          {"gradients", n.gradients},
          {"optimizer", n.optimizer},
          {"activations", n.activations},
          {"workspaces", n.workspaces},
          {"peak", n.peak},
          {"inference", n.inference},
          {"training", n.training}};
}

// Prints measured and planned memory, one line per batch size.
void show_measured(const PlannedRun& run, const std::vector<MemoryNeed>& needs, nlohmann::ordered_json& all) {
  for (const MemoryNeed& n : needs) {
    const MeasuredPeaks measured = measure_memory(run, n.batch);
    std::cout << fmt::format("batch {:>4}: step {} measured, {} planned; inference {} measured, {} planned\n", n.batch,
                             measured.step, n.peak, measured.inference, n.inference);
    all.push_back(json_of(run.network.model, n));
    all.back()["measured_step"] = measured.step;
    all.back()["measured_inference"] = measured.inference;
    all.back()["library_workspace"] = run.placement.device.is_cuda() ? cuda::library_workspace_bytes() : 0;
  }
}

void plan(const Options& options, Placement placement) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& model : options.models) {
    const PlannedRun run = run_of(options, model, placement);
    const MemoryPlan memory = plan_memory(run);
    std::vector<MemoryNeed> needs;
    for (const int64_t batch : options.batches) needs.push_back(memory.at(batch));
    std::cout << fmt::format("{} on {} in {}{}\n{}", model, str(placement.device), str(placement.dtype),
                             options.recompute ? ", recomputing" : "", table_of(needs));
    if (options.fits != 0)
      std::cout << fmt::format("in {} the largest --batch is {}\n", as_size(options.fits),
                               memory.largest_batch(options.fits));
    if (options.measure) {
      show_measured(run, needs, all);
    } else {
      for (const MemoryNeed& n : needs) all.push_back(json_of(model, n));
    }
  }
  if (options.json.empty()) return;
  write_text(options.json, all.dump(1) + "\n");
}

// Prints the table of docs/porting.md: megabytes for training and inference, and the largest batches that fit.
void print_table(const Options& options, Placement placement) {
  constexpr size_t kTraining = 4'000'000'000, kInference = 1'000'000'000;
  std::vector<DType> types = {DType::F32};
  if (placement.device.is_cuda()) types.push_back(DType::BF16);
  std::cout << "| network | type | recompute |";
  for (const int64_t batch : options.batches) std::cout << fmt::format(" {} |", batch);
  std::cout << " largest batch in 4 GB | inference of 1 | largest in 1 GB |\n|---|---|---|";
  for (size_t i = 0; i < options.batches.size() + 3; ++i) std::cout << "---:|";
  std::cout << '\n';
  for (const std::string& model : options.models)
    for (const DType dtype : types)
      for (const bool recompute : {false, true}) {
        PlannedRun run = run_of(options, model, {placement.device, dtype});
        run.recompute = recompute;
        const MemoryPlan memory = plan_memory(run);
        std::cout << fmt::format("| {} | {} | {} |", model, dtype == DType::F32 ? "f32" : "16 bit",
                                 recompute ? "yes" : "no");
        for (const int64_t batch : options.batches)
          std::cout << fmt::format(" {:.0f} |", static_cast<double>(memory.at(batch).peak) / 1e6);
        int64_t most = 1;
        while (memory.at(2 * most).inference <= kInference) most *= 2;
        const size_t of_one = memory.at(1).inference;
        std::cout << fmt::format(" {} | {:.0f} | {} |\n", memory.largest_batch(kTraining),
                                 static_cast<double>(of_one) / 1e6, of_one <= kInference ? most : 0);
      }
}

void main_of(Options options) {
  if (options.models.empty()) {
    options.models = backbone_names();
    if (options.table)
      options.models = {"aud-mel", "vis-inc", "vis-conv"};  // aud-gam and aud-cqt have the same network as aud-mel
  }
  const Placement placement = use_device(options.compute);
  if (options.table)
    print_table(options, placement);
  else
    plan(options, placement);
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("memory_plan",
                       "Says what training and inference of a network take: two small steps are made and their "
                       "allocations continued to other batch sizes.",
                       avs::kExamples);
  avs::Options options;
  avs::Flags& flags = program.flags();
  flags.add("--model", options.models, "aud-mel, aud-gam, aud-cqt, vis-inc, vis-conv; default: all")
      .joined_by_commas()
      .one_of(avs::backbone_names());
  flags.add("--batch", options.batches, "batch sizes, joined by commas")
      .joined_by_commas()
      .within(1, 1'000'000)
      .shows_default();
  flags.add("--width", options.network.width, "multiplies every channel count of the body").shows_default();
  flags.add("--image-size", options.network.image_size, "pixels of a frame's side").shows_default();
  flags.add("--classes", options.network.classes, "classes").shows_default();
  flags.add("--mixup", options.mixup, "author doubles a batch's rows; beta and none do not")
      .one_of({"author", "beta", "none"})
      .shows_default();
  flags.add("--recompute", options.recompute, "as train_backbone's");
  flags.add("--ema", options.averaged_weights, "with averaged weights");
  flags.add("--no-graph", options.no_graph, "as train_backbone's");
  flags.add("--measure", options.measure, "also make a step of each batch size and say what the allocator counts");
  flags.add("--table", options.table, "one Markdown table of every network, type, with and without recompute");
  flags.add("--fits", options.fits, "say the largest batch that trains in so much, such as 4GB").takes_units();
  flags.add("--json", options.json, "write the figures to this file too, in bytes");
  avs::add_compute_options(flags, options.compute);
  return program.run(argc, argv, [&] { avs::main_of(options); });
}
