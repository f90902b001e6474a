// ./run cudnn_check: does cuDNN have an engine for every convolution of the networks, on every architecture? It needs
// no GPU and uses descriptions of devices (tests/cudnn/devices). One line per convolution, one column per architecture:
//   built     an engine was built for the architecture
//   compiles  only engines that are compiled at run time support it; their last step needs a driver
//   own       no engine: our own kernels compute it
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cuda/conv2d.h"
#include "models/backbone.h"
#include "tests/cudnn/convolutions.h"

namespace avs {
namespace {

using namespace cuda::cudnn;

struct Architecture {
  int version = 0;  // 90
  std::string name, description;
};

struct Answer {
  std::string how;
  int64_t workspace_bytes = 0;
};

std::vector<Architecture> read_architectures(const std::filesystem::path& folder) {
  std::vector<Architecture> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream in(entry.path());
    std::stringstream text;
    text << in.rdbuf();
    const auto json = nlohmann::json::parse(text.str());
    all.push_back({json.at("deviceVer").get<int>() / 10, json.at("deviceName"), text.str()});
  }
  std::ranges::sort(all, {}, &Architecture::version);
  AVS_CHECK(DataError, !all.empty(), folder, " holds no descriptions of devices (*.json)");
  return all;
}

Answer ask(const ConvGraph& graph, const Architecture& architecture) {
  Engines engines(graph, Rules{}, architecture.description);
  for (size_t i = 0; i < engines.names().size(); ++i) {
    if (engines.compiled_at_run_time(i)) return {"compiles", 0};
    if (engines.build(i)) return {"built", engines.workspace_bytes(i)};
  }
  return {"own", 0};
}

// The same convolution with n samples.
ConvGraph with_batch(ConvGraph graph, int64_t n, DType dtype) {
  graph.x = graph.x.with(0, n);
  graph.y = graph.y.with(0, n);
  graph.dtype = dtype;
  return graph;
}

struct Summary {
  std::map<std::string, int64_t> count;
  int64_t most_workspace_bytes = 0, unserved = 0;
};

std::string row_of(const ConvGraph& g) {
  std::ostringstream text;
  const Padding& p = g.spec.padding;
  text << std::left << std::setw(5) << str(g.dtype) << std::setw(16) << name_of(g.direction) << std::setw(22)
       << str(g.x) << std::setw(22) << str(g.w) << std::setw(5) << str("s", g.spec.stride_h) << std::setw(12)
       << str("p", p.top, ",", p.bottom, ",", p.left, ",", p.right) << std::setw(10)
       << (g.bias ? g.relu ? "bias+relu" : "bias" : "");
  return text.str();
}

// Asks for one graph on all architectures, in parallel on this machine's cores.
std::vector<Answer> ask_all(const ConvGraph& graph, const std::vector<Architecture>& architectures) {
  std::vector<Answer> answers(architectures.size());
  const size_t workers = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::jthread> threads;
  for (size_t w = 0; w < std::min(workers, architectures.size()); ++w)
    threads.emplace_back([&, w] {
      for (size_t a = w; a < architectures.size(); a += workers) answers[a] = ask(graph, architectures[a]);
    });
  threads.clear();  // waits for the threads
  return answers;
}

std::vector<ConvGraph> all_graphs(const std::vector<std::string>& models) {
  std::vector<ConvGraph> graphs;
  std::vector<std::string> seen;
  for (const std::string& model : models)
    for (const ConvGraph& graph : convolutions_of(model))
      if (std::ranges::find(seen, text_of(graph)) == seen.end()) {
        seen.push_back(text_of(graph));
        graphs.push_back(graph);
      }
  return graphs;
}

// Writes the results of one convolution in several types as a row of the page: "b b o" in each architecture's column.
void write_row(std::ostream& page, const ConvGraph& g, const std::vector<std::vector<Answer>>& by_type) {
  const Padding& p = g.spec.padding;
  page << "| " << name_of(g.direction) << (g.bias ? g.relu ? " bias relu" : " bias" : "") << " | " << g.x << " | "
       << g.w << " | " << g.spec.stride_h << " | " << p.top << " " << p.bottom << " " << p.left << " " << p.right
       << " |";
  for (size_t a = 0; a < by_type.front().size(); ++a) {
    for (const auto& answers : by_type) page << " " << answers[a].how.front();
    page << " |";
  }
  page << "\n";
}

void begin_page(std::ostream& page, const std::vector<Architecture>& architectures, const std::vector<DType>& types,
                const std::vector<int64_t>& batches) {
  page << "# cuDNN and the convolutions of the networks\n\nMade by `./run cudnn_check --batch ";
  for (size_t i = 0; i < batches.size(); ++i) page << (i > 0 ? "," : "") << batches[i];
  page << " --page docs/cudnn_check.md`, cuDNN " << library_version()
       << ", asked about GPUs that were not there (`tests/cudnn/devices`).\nIn each column one letter for";
  for (const DType type : types) page << " " << type;
  page << ": b an engine was built, c an engine that cuDNN compiles when the program runs, o no engine: our own "
          "kernels convolve.\n"
          "Padding is top, bottom, left, right.\n\n| direction | x | filter | stride | padding |";
  for (const Architecture& a : architectures) page << " sm_" << a.version << " |";
  page << "\n|---|---|---|---|---|";
  for (size_t a = 0; a < architectures.size(); ++a) page << "---|";
  page << "\n";
}

// Writes one line for each architecture; returns the number of convolutions without an engine.
int64_t summarize(std::ostream& out, const std::vector<Architecture>& architectures, std::vector<Summary>& summaries) {
  int64_t unserved = 0;
  for (size_t a = 0; a < architectures.size(); ++a) {
    Summary& s = summaries[a];
    out << "sm_" << architectures[a].version << " " << architectures[a].name << ": " << s.count["built"] << " built, "
        << s.count["compiles"] << " compiled at run time, " << s.count["own"] << " by our own kernels, " << s.unserved
        << " unserved; most workspace " << s.most_workspace_bytes / (1 << 20) << " MB\n";
    unserved += s.unserved;
  }
  return unserved;
}

int check(const std::vector<ConvGraph>& graphs, const std::vector<Architecture>& architectures,
          const std::vector<DType>& types, const std::vector<int64_t>& batches, std::ostream& page) {
  std::cout << std::left << std::setw(92) << "convolution";
  for (const Architecture& a : architectures) std::cout << std::setw(10) << str("sm_", a.version);
  std::cout << "\n";
  begin_page(page, architectures, types, batches);
  std::vector<Summary> summaries(architectures.size());
  for (const ConvGraph& graph : graphs)
    for (const int64_t batch : batches) {
      std::vector<std::vector<Answer>> by_type;
      for (const DType dtype : types) {
        const ConvGraph asked = with_batch(graph, batch, dtype);
        by_type.push_back(ask_all(asked, architectures));
        std::cout << row_of(asked);
        for (size_t a = 0; a < architectures.size(); ++a) {
          const Answer& answer = by_type.back()[a];
          Summary& summary = summaries[a];
          const bool served = answer.how != "own" || cuda::own::serves(asked.x, asked.w, asked.y);
          summary.unserved += served ? 0 : 1;
          ++summary.count[answer.how];
          summary.most_workspace_bytes = std::max(summary.most_workspace_bytes, answer.workspace_bytes);
          std::cout << std::setw(10) << (served ? answer.how : "NONE");
        }
        std::cout << "\n";
      }
      write_row(page, with_batch(graph, batch, DType::F32), by_type);
    }
  std::ostringstream summary;
  const int64_t unserved = summarize(summary, architectures, summaries);
  std::cout << summary.str();
  page << "\n```text\n" << summary.str() << "```\n";
  return unserved == 0 ? 0 : 1;
}

int run(int argc, char** argv) {
  std::string folder = "tests/cudnn/devices", page_file;
  std::vector<std::string> models = backbone_names(), names = {"f32", "f16", "bf16"};
  std::vector<int64_t> batches = {1, 16, 64};
  std::vector<int> versions;
  CLI::App app("Does cuDNN have an engine for every convolution of the networks, on every architecture? Needs no GPU.");
  app.add_option("--devices", folder, "folder of device descriptions")->capture_default_str();
  app.add_option("--model", models, "networks")->delimiter(',')->capture_default_str();
  app.add_option("--batch", batches, "samples per step")->delimiter(',')->capture_default_str();
  app.add_option("--dtype", names, "f32, f16, bf16")->delimiter(',')->capture_default_str();
  app.add_option("--arch", versions, "architectures, as in 75,90 (default: all that are described)")->delimiter(',');
  app.add_option("--page", page_file, "also writes the answers as a Markdown page");
  CLI11_PARSE(app, argc, argv);

  std::vector<DType> types;
  for (const DType dtype : {DType::F32, DType::F16, DType::BF16})
    if (std::ranges::find(names, str(dtype)) != names.end()) types.push_back(dtype);
  std::vector<Architecture> architectures = read_architectures(folder);
  if (!versions.empty())
    std::erase_if(architectures,
                  [&](const Architecture& a) { return std::ranges::find(versions, a.version) == versions.end(); });
  AVS_CHECK(UsageError, !architectures.empty() && !types.empty(), "no such architecture or type");
  if (const std::string reason = why_unavailable(); !reason.empty()) throw DeviceError(reason);
  std::cout << "cuDNN " << library_version() << "\n";
  std::ostringstream page;
  const int result = check(all_graphs(models), architectures, types, batches, page);
  if (!page_file.empty()) {
    std::ofstream out(page_file);
    out << page.str();
    AVS_CHECK(DataError, out.flush().good(), page_file, ": cannot be written");
  }
  return result;
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  try {
    return avs::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "cudnn_check: " << error.what() << "\n";
    return 1;
  }
}
