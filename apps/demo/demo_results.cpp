#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/demo/demo_page.h"
#include "apps/report/page.h"
#include "apps/train/trained.h"
#include "models/training/fusion_training.h"
#include "tensor/ops/softmax.h"
#include "tensor/require.h"

namespace avs::demo {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kMethods = {"f1", "f2", "f3", "f4", "f5", "f6"};

Evaluation evaluate_fusion(const fs::path& run, const EmbeddingSet& set, data::Split split) {
  const TrainedFusionRun fusion = load_trained_fusion(run);
  const FusionOptions& options = fusion.net->options();
  const EmbeddingRows rows = select_rows(set, split, options.inputs, layer_of(options.method));
  require<DataError>(rows.size() > 0, run.string(), ": no ", data::name_of(split), " clip has all of its inputs");
  return evaluate(fuse(*fusion.net, rows.x), rows.ids, rows.labels, set.classes);
}

Evaluation evaluate_backbone(const std::string& name, const EmbeddingSet& set) {
  const EmbeddingRows rows = select_rows(set, data::Split::Test, {name}, EmbeddingLayer::Fc10);
  return evaluate(ops::softmax(rows.x.front()), rows.ids, rows.labels, set.classes);
}

EmbeddingSet embeddings_of(const fs::path& out) { return EmbeddingSet::load(out / "embeddings.safetensors"); }

}  // namespace

const Evaluation& DemoResults::both() const {
  return std::find_if(fusions.begin(), fusions.end(), [&](const auto& f) { return f.method == method; })->evaluation;
}

std::string best_method(const fs::path& out) {
  const EmbeddingSet set = embeddings_of(out);
  if (std::find(set.splits.begin(), set.splits.end(), data::Split::Validation) == set.splits.end()) return "f4";
  std::string best;
  Score best_score;
  for (const std::string& method : kMethods) {
    const Evaluation evaluation = evaluate_fusion(out / "runs" / method, set, data::Split::Validation);
    const Score score{evaluation.micro_accuracy, evaluation.log_loss};
    if (best.empty() || better(score, best_score)) {
      best = method;
      best_score = score;
    }
  }
  return best;
}

DemoResults evaluate_demo(const fs::path& out) {
  const EmbeddingSet set = embeddings_of(out);
  DemoResults results;
  results.method = name_of(load_trained_fusion(out / "runs" / "audio").net->options().method);
  for (const std::string& name : set.names()) results.backbones.push_back({name, evaluate_backbone(name, set)});
  for (const std::string& method : kMethods)
    results.fusions.push_back({method, evaluate_fusion(out / "runs" / method, set, data::Split::Test)});
  results.audio = evaluate_fusion(out / "runs" / "audio", set, data::Split::Test);
  results.visual = evaluate_fusion(out / "runs" / "visual", set, data::Split::Test);
  return results;
}

static std::vector<NamedEvaluation> columns_of(const DemoResults& results) {
  std::vector<NamedEvaluation> columns = results.fusions;
  columns.push_back({"audio", results.audio});
  columns.push_back({"visual", results.visual});
  columns.push_back({"both", results.both()});
  return columns;
}

std::string demo_table(const DemoResults& results) { return table_of(columns_of(results)); }

std::string demo_picture(const DemoResults& results) {
  constexpr int kNames = 130, kCell = 62, kRow = 26;
  const std::vector<NamedEvaluation> columns = columns_of(results);
  const std::vector<std::string>& classes = results.both().classes;
  const int width = kNames + kCell * static_cast<int>(columns.size());
  const int height = kRow * (static_cast<int>(classes.size()) + 2);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"14\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      width, height);
  const auto text = [&svg](int x, int y, const char* anchor, std::string_view words) {
    svg +=
        fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x, y + 18, anchor, report::escape(words));
  };
  const auto cell = [&](int x, int y, double accuracy) {  // from white at 0 to green at 1
    const int faded = 255 - static_cast<int>(std::lround(155 * accuracy));
    svg += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"rgb({},{},{})\"/>\n", x + 1, y + 1,
                       kCell - 2, kRow - 2, faded, 255 - (255 - faded) / 4, faded);
    text(x + kCell / 2, y, "middle", fmt::format("{:.0f} %", 100 * accuracy));
  };
  for (size_t c = 0; c < columns.size(); ++c) {
    const int x = kNames + kCell * static_cast<int>(c);
    text(x + kCell / 2, 0, "middle", columns[c].method);
    for (size_t k = 0; k < classes.size(); ++k)
      cell(x, kRow * static_cast<int>(k + 1), columns[c].evaluation.per_class[k].accuracy.value_or(0));
    cell(x, height - kRow, columns[c].evaluation.micro_accuracy);
  }
  for (size_t k = 0; k < classes.size(); ++k) text(4, kRow * static_cast<int>(k + 1), "start", classes[k]);
  text(4, height - kRow, "start", "all clips");
  return svg + "</svg>\n";
}

std::string demo_json(const DemoResults& results, double seconds) {
  const auto parsed = [](const Evaluation& evaluation) { return nlohmann::ordered_json::parse(to_json(evaluation)); };
  nlohmann::ordered_json json;
  json["audio_only"] = results.audio.micro_accuracy;
  json["visual_only"] = results.visual.micro_accuracy;
  json["both"] = results.both().micro_accuracy;
  json["method"] = results.method;
  for (const NamedEvaluation& fusion : results.fusions)
    json["fusions"][fusion.method] = fusion.evaluation.micro_accuracy;
  for (const NamedEvaluation& backbone : results.backbones)
    json["backbones"][backbone.method] = backbone.evaluation.micro_accuracy;
  json["seconds"] = seconds;
  json["evaluations"] = {
      {"audio", parsed(results.audio)}, {"visual", parsed(results.visual)}, {"both", parsed(results.both())}};
  return json.dump(1) + "\n";
}

}  // namespace avs::demo
