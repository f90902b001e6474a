// evaluate: evaluates trained fusions or backbones on a split; writes a table, JSON, a submission or an HTML page.
#include <spdlog/spdlog.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/cli/compute_options.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "apps/report/reports.h"
#include "apps/train/extract.h"
#include "models/file.h"
#include "models/training/fusion_training.h"
#include "models/training/predict.h"
#include "tensor/require.h"

namespace avs {
namespace {

struct Arguments {
  std::vector<std::string> fusions, embeddings, backbones;
  std::string cache, split = "test", json, submission, report;
  int64_t batch = 32;
  int workers = 1;
  ComputeOptions compute;
};

void add_flags(Flags& flags, Arguments& a) {
  flags.add("--fusion", a.fusions, "a RUN of train_fusion; several make several columns");
  flags.add("--embeddings", a.embeddings, "the embeddings that --fusion reads");
  flags.add("--backbone", a.backbones, "a RUN of train_backbone; several make several columns");
  flags.add("--cache", a.cache, "the cache that --backbone reads");
  flags.add("--split", a.split, "train, validation or test")
      .one_of({"train", "validation", "val", "test"})
      .shows_default();
  flags.add("--json", a.json, "write the figures to this file (of several models: under \"methods\")");
  flags.add("--submission", a.submission, "write the DCASE submission (tab separated) to this file");
  flags.add("--report", a.report, "write a page with tables, matrices and mistakes to this file");
  flags.add("--batch", a.batch, "samples per pass").within(1, 4096).shows_default();
  flags.add("--workers", a.workers, "threads that read the cache").within(0, 256).shows_default();
  add_compute_options(flags, a.compute);
}

void check(const Arguments& a) {
  require<UsageError>(!a.fusions.empty() || !a.backbones.empty(),
                      "give --fusion RUN --embeddings FILE, or --backbone RUN --cache DIR");
  require<UsageError>(a.fusions.empty() == a.embeddings.empty(), "--fusion and --embeddings belong together");
  require<UsageError>(a.backbones.empty() == a.cache.empty(), "--backbone and --cache belong together");
  require<UsageError>(a.submission.empty() || a.fusions.size() + a.backbones.size() == 1,
                      "--submission is of one model, ", a.fusions.size() + a.backbones.size(), " are given");
}

std::string column_name(const std::string& run, const std::vector<NamedEvaluation>& columns) {
  std::vector<std::string> taken;
  for (const NamedEvaluation& column : columns) taken.push_back(column.method);
  const std::filesystem::path path = std::filesystem::absolute(run).lexically_normal();
  return distinct_name((path.has_filename() ? path : path.parent_path()).filename().string(), taken);
}

// DataError: embeddings of another checkpoint than the fusion was trained on would give wrong figures.
void check_sources(const TrainedFusionRun& fusion, const EmbeddingSet& set) {
  check_classes(fusion.classes, set.classes, fusion.folder.string());
  for (const FusionInput& input : fusion.inputs) {
    const std::string& hash = set.backbone(input.source.name).source.hash;
    require<DataError>(hash == input.source.hash, "the embeddings of '", input.source.name,
                       "' were made by another checkpoint than the fusion in ", fusion.folder.string(),
                       " learned from");
  }
}

void evaluate_fusions(const Arguments& a, data::Split split, std::vector<NamedEvaluation>& columns) {
  const EmbeddingSet set = merge({a.embeddings.begin(), a.embeddings.end()});
  warn_of_unchecked(set);
  for (const std::string& run : a.fusions) {
    TrainedFusionRun fusion = load_trained_fusion(run);
    check_sources(fusion, set);
    const FusionOptions& options = fusion.net->options();
    const EmbeddingRows rows = select_rows(set, split, options.inputs, layer_of(options.method));
    require<DataError>(rows.size() > 0, "no clip of the split '", a.split, "' has all inputs of ", run);
    if (rows.left_out > 0) spdlog::warn("{}: {} clips left out that lack one of its inputs", run, rows.left_out);
    columns.push_back(
        {column_name(run, columns), evaluate(fuse(*fusion.net, rows.x), rows.ids, rows.labels, set.classes)});
  }
}

void evaluate_backbones(const Arguments& a, Placement placement, data::Split split,
                        std::vector<NamedEvaluation>& columns) {
  const data::Cache cache = data::Cache::open(a.cache);
  const InterruptSignals signals;
  for (const std::string& run : a.backbones) {
    TrainedBackbone backbone = load_trained_backbone(run);
    place(*backbone.net, placement);
    check_inputs(backbone, cache);
    const auto dataset = evaluation_dataset(cache, backbone.net->modality(), split, backbone.net->options().image_size);
    require<DataError>(dataset->size() > 0, "no clip of the split '", a.split, "' has what ", run, " reads");
    const size_t without = cache.select(split).size() - cache.select(split, backbone.net->modality()).size();
    if (without > 0) spdlog::warn("{}: {} clips left out that lack its input", run, without);
    Progress progress(dataset->size(), run);
    Inference inference(*backbone.net);
    columns.push_back(
        {column_name(run, columns), evaluate(run_clips(inference, *dataset, a.batch, a.workers,
                                                       [&](int64_t samples) { progress.advance(samples); }),
                                             cache)});
  }
}

// One model: its JSON alone; several: keyed by name.
std::string json_of(const std::vector<NamedEvaluation>& columns) {
  if (columns.size() == 1) return to_json(columns.front().evaluation);
  std::string text = "{\"methods\": {";
  for (size_t i = 0; i < columns.size(); ++i)
    text += str(i == 0 ? "\n" : ",\n",
                nlohmann::json(columns[i].method).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), ": ",
                to_json(columns[i].evaluation));
  return text + "}}\n";
}

void run(const Arguments& a) {
  check(a);
  const Placement placement = use_device(a.compute);
  const data::Split split = data::split_from_name(a.split);
  std::vector<NamedEvaluation> columns;
  if (!a.backbones.empty()) evaluate_backbones(a, placement, split, columns);
  if (!a.fusions.empty()) evaluate_fusions(a, split, columns);
  std::cout << table_of(columns);
  if (!a.json.empty()) write_text(a.json, json_of(columns));
  if (!a.submission.empty()) write_text(a.submission, submission_of(columns.front().evaluation));
  if (!a.report.empty())
    write_text(a.report,
               report::evaluation_report(
                   "Evaluation",
                   str(columns.front().evaluation.clips, " clips of the split '", data::name_of(split), "'"), columns));
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("evaluate",
                       "Accuracy of trained fusions and backbones: a table with classes as rows, on stdout.",
                       "evaluate --fusion runs/f4 --embeddings all.safetensors\n"
                       "evaluate --fusion runs/f1 --fusion runs/f4 --embeddings all.safetensors --json figures.json\n"
                       "evaluate --backbone runs/aud-mel --cache my.cache --split validation --report mel.html\n"
                       "evaluate --fusion runs/f4 --embeddings all.safetensors --submission task1b.csv");
  avs::Arguments arguments;
  avs::add_flags(program.flags(), arguments);
  return program.run(argc, argv, [&] { avs::run(arguments); });
}
