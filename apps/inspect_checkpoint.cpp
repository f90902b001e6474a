// inspect_checkpoint: shows the contents of a checkpoint or of a training run's folder.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>

#include "apps/cli/program.h"
#include "models/checkpoint.h"
#include "models/file.h"
#include "models/printable.h"
#include "tensor/require.h"

namespace avs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

enum class Output : uint8_t { Text, Machine };

// Statistics of the finite values; mean and standard deviation in double.
struct Statistics {
  double min = 0, max = 0, mean = 0, deviation = 0;
  int64_t non_finite = 0;
};

double value_at(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::F32: return static_cast<double>(tensor.data<float>()[i]);
    case DType::F16: return static_cast<double>(static_cast<float>(tensor.data<f16>()[i]));
    case DType::BF16: return static_cast<double>(static_cast<float>(tensor.data<bf16>()[i]));
    case DType::I32: return tensor.data<int32_t>()[i];
    case DType::U8: return tensor.data<uint8_t>()[i];
  }
  return 0;
}

Statistics statistics_of(const Tensor& tensor) {
  Statistics s{.min = std::numeric_limits<double>::infinity(), .max = -std::numeric_limits<double>::infinity()};
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < tensor.size(); ++i) {
    const double value = value_at(tensor, i);
    if (!std::isfinite(value)) {
      ++s.non_finite;
      continue;
    }
    s.min = std::min(s.min, value);
    s.max = std::max(s.max, value);
    sum += value;
    squares += value * value;
  }
  const auto n = static_cast<double>(tensor.size() - s.non_finite);
  if (n == 0) return {.non_finite = s.non_finite};
  s.mean = sum / n;
  s.deviation = std::sqrt(std::max(0.0, squares / n - s.mean * s.mean));
  return s;
}

std::string bytes_text(uint64_t bytes) {
  return bytes < 1'000'000 ? fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3)
                           : fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

// ---- a checkpoint ----

Json checkpoint_json(const Checkpoint& checkpoint, const fs::path& file) {
  Json tensors = Json::array();
  int64_t values = 0, non_finite = 0;
  uint64_t bytes = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const Statistics s = statistics_of(tensor);
    tensors.push_back({{"name", name},
                       {"dtype", str(tensor.dtype())},
                       {"shape", tensor.shape().extents()},
                       {"min", s.min},
                       {"max", s.max},
                       {"mean", s.mean},
                       {"std", s.deviation},
                       {"non_finite", s.non_finite}});
    values += tensor.size();
    bytes += tensor.bytes();
    non_finite += s.non_finite;
  }
  return {{"file", file.string()},
          {"tensors", tensors},
          {"metadata", checkpoint.metadata},
          {"totals",
           {{"tensors", checkpoint.tensors.size()}, {"values", values}, {"bytes", bytes}, {"non_finite", non_finite}}}};
}

std::string one_line(const std::string& text, size_t longest) { return shortened(printable(text), longest); }

void print_checkpoint(const Json& j) {
  const Json& totals = j["totals"];
  std::cout << one_line(j["file"].get<std::string>(), 1000) << ": " << totals["tensors"] << " tensors, "
            << totals["values"] << " values, " << bytes_text(totals["bytes"].get<uint64_t>()) << ", "
            << totals["non_finite"] << " not finite\n\n";
  if (!j["metadata"].empty()) {
    std::cout << "metadata\n";
    for (const auto& [key, value] : j["metadata"].items())
      std::cout << "  " << one_line(key, 60) << ": " << one_line(value.get<std::string>(), 400) << '\n';
    std::cout << '\n';
  }
  int64_t widest = 4;
  for (const Json& t : j["tensors"]) widest = std::max(widest, columns_of(one_line(t["name"].get<std::string>(), 200)));
  std::cout << fmt::format("{:<{}}  {:<5} {:<20} {:>11} {:>11} {:>11} {:>11} {:>10}\n", "name", widest, "type", "shape",
                           "min", "max", "mean", "std", "not finite");
  for (const Json& t : j["tensors"])
    std::cout << fmt::format("{:<{}}  {:<5} {:<20} {:>11.4g} {:>11.4g} {:>11.4g} {:>11.4g} {:>10}\n",
                             one_line(t["name"].get<std::string>(), 200), widest, t["dtype"].get<std::string>(),
                             t["shape"].dump(), t["min"].get<double>(), t["max"].get<double>(), t["mean"].get<double>(),
                             t["std"].get<double>(), t["non_finite"].get<int64_t>());
}

// ---- a run's curves ----

Json epochs_of(const fs::path& metrics) {
  Json epochs = Json::array();
  int64_t number = 0;
  for (const std::string& line : lines_of(read_text(metrics))) {
    const Json j = Json::parse(line, nullptr, false);
    ++number;
    require<DataError>(j.is_object(), metrics.string(), ":", number, ": not a line of JSON");
    if (j.value("kind", "") == "epoch") epochs.push_back(j);
  }
  return epochs;
}

// Plots one quantity over the epochs: 10 rows, at most 72 evenly spaced epochs.
void plot(const Json& epochs, const std::string& key, const std::string& title) {
  std::vector<double> values;
  for (const Json& epoch : epochs)
    if (epoch.contains(key) && epoch[key].is_number()) values.push_back(epoch[key].get<double>());
  if (values.empty()) return;
  constexpr size_t kColumns = 72, kRows = 10;
  std::vector<double> shown;
  const size_t columns = std::min(kColumns, values.size());
  for (size_t i = 0; i < columns; ++i)
    shown.push_back(values[columns == 1 ? 0 : i * (values.size() - 1) / (columns - 1)]);
  const auto [low, high] = std::ranges::minmax(shown);
  std::cout << fmt::format("\n{} (first {:.4g}, last {:.4g}, lowest {:.4g}, highest {:.4g})\n", title, values.front(),
                           values.back(), low, high);
  for (size_t row = kRows; row-- > 0;) {
    std::string line;
    for (const double value : shown) {
      const double height = high > low ? (value - low) / (high - low) * static_cast<double>(kRows - 1) : 0;
      line += static_cast<size_t>(std::lround(height)) == row ? '*' : ' ';
    }
    const bool labelled = row == 0 || row == kRows - 1;
    std::cout << fmt::format("{:>9} |{}\n", labelled ? fmt::format("{:.4g}", row == 0 ? low : high) : "", line);
  }
  std::cout << fmt::format("{:>9} +{}  epochs 1..{}\n", "", std::string(shown.size(), '-'), values.size());
}

void print_curve(const Json& epochs) {
  if (epochs.empty()) return;
  plot(epochs, "loss", "training loss");
  plot(epochs, "validation_log_loss", "validation log loss");
  plot(epochs, "validation_micro_accuracy", "validation accuracy");
}

// ---- file or folder ----

void inspect(const fs::path& path, Output form) {
  require<DataError>(fs::exists(path), path.string(), ": there is no such file or folder");
  Json curve = Json::array();
  fs::path file = path;
  if (fs::is_directory(path)) {
    file = path / "best.safetensors";
    if (!fs::exists(file)) file = path / "last.safetensors";
    require<DataError>(fs::exists(file), path.string(), ": holds neither best.safetensors nor last.safetensors");
    if (fs::exists(path / "metrics.jsonl")) curve = epochs_of(path / "metrics.jsonl");
  }
  Json j = checkpoint_json(Checkpoint::load(file), file);
  if (form == Output::Machine) {
    if (fs::is_directory(path)) j["epochs"] = curve;
    std::cout << j.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return;
  }
  print_checkpoint(j);
  print_curve(curve);
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  std::string path;
  bool json = false;
  avs::Program program("inspect_checkpoint", "What is in a checkpoint or in the folder of a training run",
                       "inspect_checkpoint runs/aud-mel/best.safetensors\n"
                       "inspect_checkpoint runs/aud-mel            # with the training's curves\n"
                       "inspect_checkpoint --json embeddings.safetensors");
  program.flags().add("path", path, "a safetensors file, or a training's RUN folder").required();
  program.flags().add("--json", json, "print JSON: tensors with statistics, metadata, totals, epochs");
  return program.run(argc, argv, [&] { avs::inspect(path, json ? avs::Output::Machine : avs::Output::Text); });
}
