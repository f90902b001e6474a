// gpu_report: makes one JSON file and one Markdown page from the results of tests/first_contact.sh, and docs/gpu.md's
// table from all pages.
//
//   gpu_report make WORK OUT [PREDICTIONS]   WORK/facts.json and the files of the phases -> OUT.json, OUT.md
//   gpu_report line FILE HOW                 converts Google Benchmark's FILE to lines of steps.jsonl
//   gpu_report memory FILE                   compares the numbers of `memory_plan --measure --json FILE`
//   gpu_report summary FILE                  prints OUT.json for a terminal
//   gpu_report table FOLDER                  prints a Markdown table of every FOLDER/gpu-*.json
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "tensor/error.h"

namespace avs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

Json read(const fs::path& file) {
  try {
    return Json::parse(text_of(file));
  } catch (const Json::exception& error) {
    throw DataError(str(file.string(), ": ", error.what()));
  }
}

Json lines_in(const fs::path& file) {
  Json rows = Json::array();
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) rows.push_back(Json::parse(line));
  return rows;
}

// Returns the results of Google Benchmark without its context.
Json benchmarks_in(const fs::path& file) {
  Json rows = Json::array();
  const Json found = read(file);
  for (const Json& b : found.at("benchmarks")) {
    if (b.value("error_occurred", false)) continue;
    Json row = {{"name", b.at("name")}, {"time", b.at("real_time")}, {"unit", b.at("time_unit")}};
    for (const char* counter : {"GB/s", "%copy", "GFLOP/s", "%matmul", "samples/s", "peak_MB"})
      if (b.contains(counter)) row[counter] = b[counter];
    rows.push_back(row);
  }
  return rows;
}

// A step that ended early may have left half a file: the report then omits it.
void add(Json& report, const char* key, const fs::path& file, Json (*load)(const fs::path&)) {
  if (!fs::exists(file)) return;
  try {
    report[key] = load(file);
  } catch (const std::exception& error) {
    report["unreadable"].push_back(error.what());
  }
}

// Compares each step with its prediction for this GPU and with PyTorch's fastest form of the same step.
void compare_steps(Json& report, const Json& predictions) {
  const std::string device = report.value("device", "");
  for (Json& step : report["training"]) {
    const std::string name = step.at("name");
    const double rate = step.at("samples/s");
    for (const auto& [gpu, rates] : predictions.items())
      if (device.find(gpu) != std::string::npos && rates.is_object() && rates.contains(name)) {
        step["predicted"] = rates[name];
        step["of predicted"] = rate / rates[name].get<double>();
      }
    double best = 0;
    for (const Json& peer : report.value("peers", Json::array()))
      if (peer.value("name", "") == name) best = std::max(best, peer.value("samples/s", 0.0));
    if (best > 0) step["of PyTorch"] = rate / best;
  }
}

Json collect(const fs::path& work, const Json& predictions) {
  Json report = read(work / "facts.json");
  report["steps"] = lines_in(work / "phases.jsonl");
  add(report, "agreement", work / "agreement.json", read);
  add(report, "plans", work / "plans.json", read);
  add(report, "memory", work / "memory.json", read);
  add(report, "kernels", work / "kernels.json", benchmarks_in);
  add(report, "kernels_without_libraries", work / "own_kernels.json", benchmarks_in);
  add(report, "variants", work / "variants.json", benchmarks_in);
  add(report, "training", work / "steps.jsonl", lines_in);
  add(report, "peers", work / "peers.jsonl", lines_in);
  if (report.contains("training")) compare_steps(report, predictions);
  return report;
}

// ---- Markdown ----

std::string cell(const Json& row, const char* key) {
  if (!row.contains(key)) return "";
  return row[key].is_number() ? fmt::format("{:.4g}", row[key].get<double>()) : row[key].get<std::string>();
}

void table(std::string& page, const Json& rows, const std::string& title, const std::vector<const char*>& columns) {
  if (!rows.is_array() || rows.empty()) return;
  page += "\n## " + title + "\n\n|";
  for (const char* column : columns) page += fmt::format(" {} |", column);
  page += "\n|";
  for (size_t i = 0; i < columns.size(); ++i) page += "---|";
  for (const Json& row : rows) {
    page += "\n|";
    for (const char* column : columns) page += " " + cell(row, column) + " |";
  }
  page += '\n';
}

std::string page_of(const Json& report) {
  std::string page = fmt::format("# {}\n\n", report.value("device", "?"));
  if (report.value("emulated", false))
    page += "**The host emulation, not a GPU: only the flow of the check means anything here.**\n\n";
  for (const auto& [key, value] : report.items())
    if (value.is_string()) page += fmt::format("* {}: {}\n", key, value.get<std::string>());
  const auto part = [&](const char* key) { return report.value(key, Json::array()); };
  table(page, part("steps"), "Checks", {"step", "state", "seconds", "note"});
  Json agreement = part("agreement");
  for (Json& row : agreement)
    for (const char* key : {"agrees", "repeats", "graph_is_eager"}) row[key] = row.value(key, false) ? "yes" : "NO";
  table(page, agreement, "Training steps, CPU and GPU",
        {"model", "dtype", "steps", "loss_difference", "agrees", "repeats", "graph_is_eager"});
  table(page, part("plans"), "Convolutions by cuDNN against our own kernels",
        {"model", "dtype", "graphs", "by_cudnn", "largest_difference", "worst"});
  table(page, part("memory"), "Peak memory, bytes",
        {"model", "batch", "peak", "measured_step", "inference", "measured_inference"});
  table(page, part("training"), "Training steps",
        {"name", "how", "time", "unit", "samples/s", "predicted", "of predicted", "of PyTorch", "peak_MB"});
  table(page, part("peers"), "PyTorch's steps", {"name", "how", "seconds", "samples/s", "torch"});
  const std::vector<const char*> shares = {"name", "time", "unit", "GB/s", "%copy", "GFLOP/s", "%matmul"};
  table(page, part("kernels"), "Kernels, beside a copy and cuBLAS' product on this GPU", shares);
  table(page, part("kernels_without_libraries"), "The same without cuBLASLt and cuDNN", shares);
  table(page, part("variants"), "From the naive kernel to the fast one", shares);
  return page;
}

void make(const fs::path& work, const std::string& out, const Json& predictions) {
  const Json report = collect(work, predictions);
  std::ofstream(out + ".json") << report.dump(1) << '\n';
  std::ofstream(out + ".md") << page_of(report);
}

void print_lines(const fs::path& file, const std::string& how) {
  for (Json row : benchmarks_in(file)) {
    row["how"] = how;
    std::cout << row.dump() << '\n';
  }
}

// A short summary for a terminal's last lines: checks, steps, and the kernels furthest from their bound.
std::string summary_of(const Json& report) {
  std::string text;
  for (const char* key : {"device", "driver", "cuda", "said", "commit"})
    text += fmt::format("{}: {}\n", key, report.value(key, "?"));
  for (const Json& step : report.value("steps", Json::array()))
    text +=
        fmt::format("{:<22} {:<8} {:.200}\n", step.value("step", ""), step.value("state", ""), step.value("note", ""));
  text += fmt::format("{:<20} {:<18} {:>10} {:>10} {:>8} {:>8}\n", "step", "how", "samples/s", "predicted", "of it",
                      "of torch");
  for (const Json& row : report.value("training", Json::array()))
    text +=
        fmt::format("{:<20} {:<18} {:>10} {:>10} {:>8} {:>8}\n", cell(row, "name"), cell(row, "how"),
                    cell(row, "samples/s"), cell(row, "predicted"), cell(row, "of predicted"), cell(row, "of PyTorch"));
  for (const Json& row : report.value("peers", Json::array()))
    text +=
        fmt::format("{:<20} {:<18} {:>10}\n", cell(row, "name"), "torch " + cell(row, "how"), cell(row, "samples/s"));
  std::vector<Json> kernels = report.value("kernels", std::vector<Json>{});
  const auto share = [](const Json& row) { return row.value("%copy", row.value("%matmul", 100.0)); };
  std::ranges::sort(kernels, {}, share);
  kernels.resize(std::min<size_t>(kernels.size(), 40));
  text +=
      fmt::format("{:<60} {:>9} {:>4} {:>7} {:>8}\n", "slowest kernels by their bound", "time", "", "%copy", "%matmul");
  for (const Json& row : kernels)
    text += fmt::format("{:<60} {:>9} {:>4} {:>7} {:>8}\n", cell(row, "name"), cell(row, "time"), cell(row, "unit"),
                        cell(row, "%copy"), cell(row, "%matmul"));
  return text;
}

// ---- docs/gpu.md's table ----

std::string speed(const Json& report, const std::string& model) {
  for (const Json& row : report.value("training", Json::array()))
    if (row.at("name").get<std::string>().starts_with("train/" + model + "/")) return cell(row, "samples/s");
  return "not yet measured";
}

std::string checks(const Json& report) {
  size_t passed = 0, run = 0;
  for (const Json& step : report.at("steps")) {
    passed += step.at("state") == "passed";
    run += step.at("state") != "skipped";
  }
  return fmt::format("{} of {}", passed, run);
}

std::string table_of_gpus(const fs::path& folder) {
  std::vector<fs::path> files;
  if (fs::exists(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().filename().string().starts_with("gpu-") && entry.path().extension() == ".json")
        files.push_back(entry);
  std::ranges::sort(files);
  std::string text =
      "| GPU | driver, CUDA | checks passed | aud-mel, samples/s | vis-inc | vis-conv |\n|---|---|---|---|---|---|\n";
  int rows = 0;
  for (const fs::path& file : files) {
    const Json report = read(file);
    if (report.value("emulated", false)) continue;
    ++rows;
    text += fmt::format("| [{}]({}) | {}, {} | {} | {} | {} | {} |\n", report.value("device", "?"),
                        "../bench/results/" + file.stem().string() + ".md", report.value("driver", "?"),
                        report.value("cuda", "?"), checks(report), speed(report, "aud-mel"), speed(report, "vis-inc"),
                        speed(report, "vis-conv"));
  }
  if (rows == 0) text += "| none | | not yet measured | not yet measured | not yet measured | not yet measured |\n";
  return text;
}

// Each step may use its plan, a twentieth more, and the workspace of a cuDNN engine: the chosen engine and its
// workspace differ from batch to batch.
void check_memory(const fs::path& file) {
  constexpr double kMore = 1.05;
  double most = 0;
  for (const Json& row : read(file))
    for (const auto& [planned, measured] : {std::pair{"peak", "measured_step"}, {"inference", "measured_inference"}}) {
      const double allowed = row.at(planned).get<double>() + row.value("library_workspace", 0.0);
      const double share = row.at(measured).get<double>() / allowed;
      most = std::max(most, share);
      AVS_CHECK(DeviceError, share <= kMore, row.at("model"), ", batch ", row.at("batch"), ": ", measured, " is ",
                row.at(measured), ", planned were ", row.at(planned), " and ",
                row.value("library_workspace", int64_t{0}), " for cuDNN");
    }
  std::cout << fmt::format("at most {:.1f} % of what was planned\n", 100 * most);
}

int main_of(const std::vector<std::string>& words) {
  if ((words.size() == 3 || words.size() == 4) && words[0] == "make") {
    make(words[1], words[2], words.size() == 4 ? read(words[3]) : Json::object());
  } else if (words.size() == 3 && words[0] == "line") {
    print_lines(words[1], words[2]);
  } else if (words.size() == 2 && words[0] == "summary") {
    std::cout << summary_of(read(words[1]));
  } else if (words.size() == 2 && words[0] == "memory") {
    check_memory(words[1]);
  } else if (words.size() == 2 && words[0] == "table") {
    std::cout << table_of_gpus(words[1]);
  } else {
    std::cerr << "usage: gpu_report make WORK OUT [PREDICTIONS] | line FILE HOW | memory FILE | summary FILE | table "
                 "FOLDER\n";
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  try {
    return avs::main_of({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "gpu_report: " << error.what() << '\n';
    return 1;
  }
}
