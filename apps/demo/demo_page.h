// What the demo tells at its end, from what the programs before it left in one folder:
//
//   OUT/cache/  OUT/embeddings.safetensors  OUT/runs/{aud-mel,aud-gam,aud-cqt,vis-inc,vis-conv}/
//   OUT/runs/{f1,…,f6}/ (all five backbones)  OUT/runs/audio/  OUT/runs/visual/ (the method that did best, on its own)
//
// "Both" is the fusion of all five that did best on the validation split; the test split is only reported.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/training/metrics.h"

namespace avs::demo {

struct DemoResults {
  std::string method;                      // of "both", "audio" and "visual": f1 … f6
  std::vector<NamedEvaluation> backbones;  // each network alone, by its last layer
  std::vector<NamedEvaluation> fusions;    // f1 … f6
  Evaluation audio, visual;
  const Evaluation& both() const;
};

// The name of the fusion among OUT/runs/f1 … f6 with the best validation accuracy (then log loss); where there are no
// validation clips, f4, the paper's best.
std::string best_method(const std::filesystem::path& out);

DemoResults evaluate_demo(const std::filesystem::path& out);  // on the test split

std::string demo_table(const DemoResults& results);  // Table I's layout, and the two modalities alone
std::string demo_json(const DemoResults& results,
                      double seconds);  // audio_only visual_only both method fusions backbones seconds
std::string demo_page(const DemoResults& results, const std::filesystem::path& out, double seconds);  // report.html

}  // namespace avs::demo
