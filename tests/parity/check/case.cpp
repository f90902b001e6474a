#include "tests/parity/check/case.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/checkpoint.h"
#include "tests/parity/check/kinds.h"

namespace avs::parity {
namespace {

Shape shape_of(const Json& extents) {
  const auto values = extents.get<std::vector<int64_t>>();
  return Shape(std::span<const int64_t>(values));
}

Tensor input_of(const Json& description, const Checkpoint& file, const std::string& key) {
  if (description.is_string()) return file.tensors.at(key);
  return draw(shape_of(description.at("shape")), description.at("seed").get<uint32_t>(),
              description.at("scale").get<double>(), description.at("shift").get<double>());
}

Case case_of(const Json& json, const Checkpoint& file) {
  Case c{json.at("name"), json.at("row"), json.at("kind"), json.at("peer"), json.at("spec"), {}, {}};
  for (const auto& [name, description] : json.at("inputs").items())
    c.inputs[name] = input_of(description, file, "in/" + c.name + "/" + name);
  for (const auto& [name, how] : json.at("expected").items())
    c.expected[name] = {file.tensors.at("out/" + c.name + "/" + name),
                        how.at("stride"),
                        how.at("floor"),
                        how.value("scale", 1.0),
                        how.value("single", 0.0),
                        how.contains("measure") ? Measure::MeanDifference : Measure::RelativeNorm};
  return c;
}

double error_of(const std::vector<float>& got, const Expected& expected) {
  const auto step = static_cast<size_t>(expected.stride);
  const std::vector<float> values = expected.values.to_vector();
  if ((got.size() + step - 1) / step != values.size()) return std::numeric_limits<double>::infinity();
  double squares = 0, sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto theirs = static_cast<double>(values[i]), difference = static_cast<double>(got[i * step]) - theirs;
    squares += difference * difference;
    sum += std::abs(difference);
  }
  const auto count = static_cast<double>(values.size());
  if (expected.measure == Measure::MeanDifference) return sum / count;
  return std::sqrt(squares / count) / (expected.scale == 0 ? 1 : expected.scale);
}

}  // namespace

const Tensor& Case::input(const std::string& input_name) const {
  const auto found = inputs.find(input_name);
  AVS_CHECK(DataError, found != inputs.end(), "case ", name, " has no input '", input_name, "'");
  return found->second;
}

Tensor draw(const Shape& shape, uint32_t seed, double scale, double shift) {
  Tensor values = Tensor::empty(shape);
  float* const out = values.data<float>();
  for (int64_t i = 0; i < shape.size(); ++i) {
    uint32_t h = static_cast<uint32_t>(i) + seed * 0x9E3779B9u;  // the finaliser of MurmurHash3
    h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
    h = (h ^ (h >> 13)) * 0xC2B2AE35u;
    h ^= h >> 16;
    out[i] = static_cast<float>(shift + scale * (static_cast<double>(h) / 2147483648.0 - 1));
  }
  return values;
}

std::vector<Case> load_cases(const std::filesystem::path& file) {
  const Checkpoint checkpoint = Checkpoint::load(file);
  const auto found = checkpoint.metadata.find("parity");
  AVS_CHECK(DataError, found != checkpoint.metadata.end(), file.string(), ": holds no cases");
  try {
    std::vector<Case> cases;
    const Json parsed = Json::parse(found->second);
    for (const Json& json : parsed.at("cases")) cases.push_back(case_of(json, checkpoint));
    AVS_CHECK(DataError, !cases.empty(), file.string(), ": holds no cases");
    for (Case& c : cases) c.spec["folder"] = file.parent_path().string();
    return cases;
  } catch (const Json::exception& error) {
    throw DataError(str(file.string(), ": ", error.what()));
  } catch (const std::out_of_range&) {
    throw DataError(str(file.string(), ": a tensor that a case names is not there"));
  }
}

std::vector<Case> load_all_cases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(folder))
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  AVS_CHECK(DataError, !files.empty(), folder.string(), ": no .safetensors file with cases there");
  std::sort(files.begin(), files.end());
  std::vector<Case> all;
  for (const std::filesystem::path& file : files)
    for (Case& c : load_cases(file)) all.push_back(std::move(c));
  return all;
}

NamedTensors answer(const Case& c) {
  static const std::map<std::string, NamedTensors (*)(const Case&)> kinds = {{"op", run_op},
                                                                             {"network", run_network},
                                                                             {"steps", run_steps},
                                                                             {"schedule", run_schedule},
                                                                             {"average", run_average},
                                                                             {"mixup", run_mixup},
                                                                             {"adam", run_adam},
                                                                             {"fusion", run_fusion},
                                                                             {"metrics", run_metrics},
                                                                             {"spectrogram", run_spectrogram},
                                                                             {"resample", run_resample},
                                                                             {"frames", run_frames}};
  const auto found = kinds.find(c.kind);
  AVS_CHECK(DataError, found != kinds.end(), "case ", c.name, ": nobody here answers '", c.kind, "'");
  try {
    return found->second(c);
  } catch (Error& error) {
    error.add_context("in case " + c.name);
    throw;
  }
}

std::vector<Difference> differences(const Case& c, const NamedTensors& ours) {
  std::vector<Difference> all;
  for (const auto& [name, expected] : c.expected) {
    const auto found = ours.find(name);
    const double error =
        found == ours.end() ? std::numeric_limits<double>::infinity() : error_of(found->second.to_vector(), expected);
    all.push_back({name, error, expected.tolerance(), expected.single});
  }
  return all;
}

double Difference::share() const {
  if (error == 0) return 0;
  return error > 0 && tolerance > 0 ? error / tolerance : std::numeric_limits<double>::infinity();
}

Difference worst(const std::vector<Difference>& all) {
  AVS_CHECK(DataError, !all.empty(), "a case without expectations shows nothing");
  return *std::ranges::max_element(all, {}, &Difference::share);
}

}  // namespace avs::parity
