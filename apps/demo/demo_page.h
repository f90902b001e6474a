// Evaluates the demo and writes its result page, from the folder that the earlier programs filled:
//
//   OUT/cache/  OUT/embeddings.safetensors  OUT/runs/{aud-mel,aud-gam,aud-cqt,vis-inc,vis-conv}/
//   OUT/runs/{f1,…,f6}/ (all five backbones)  OUT/runs/audio/  OUT/runs/visual/ (best_method() on one modality)
//
// "Both" is the fusion of all five backbones with the best validation accuracy; the test split is only reported.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/training/metrics.h"

namespace avs::demo {

struct DemoResults {
  std::string method;                      // one of f1 … f6, for "both", "audio" and "visual"
  std::vector<NamedEvaluation> backbones;  // each network alone, by its own classifier
  std::vector<NamedEvaluation> fusions;    // f1 … f6
  Evaluation audio, visual;
  const Evaluation& both() const;
};

// The fusion among OUT/runs/f1 … f6 with the best validation accuracy (ties: log loss). Without validation clips: f4,
// the paper's best.
std::string best_method(const std::filesystem::path& out);

DemoResults evaluate_demo(const std::filesystem::path& out);  // on the test split

std::string demo_table(const DemoResults& results);    // layout of Table I, plus both single modalities
std::string demo_picture(const DemoResults& results);  // the same table as SVG: rows are classes, cells accuracies
std::string demo_json(const DemoResults& results,
                      double seconds);  // keys: audio_only visual_only both method fusions backbones seconds
std::string demo_page(const DemoResults& results, const std::filesystem::path& out, double seconds);  // report.html

}  // namespace avs::demo
