// A parity case: inputs, and the outputs of another library for them. tests/parity/peers/ writes cases as safetensors
// files: the small ones in tests/golden/parity are checked in, ./run parity makes larger ones.
//
//   metadata["parity"] JSON: {versions, cases: [{name, row, kind, peer, spec, inputs, expected}, …]}
//     inputs           NAME: "stored", or {"shape", "seed", "scale", "shift"}: drawn by draw() on both sides, so that
//                      files stay small and need no network's weights
//     expected         NAME: {"stride", "floor", "scale", "single"}: only every stride-th value of a large output is
//                      kept; scale is the root mean square of all values, and single the error of the peer's single
//                      precision against its double precision, as a relative norm; or {"stride", "floor",
//                      "measure": "mean"} for a mean difference
//     spec             the computation; its files are in the folder of the cases (spec["folder"] after loading),
//                      or with "from_test_data" in that of the test data
//   tensors            "in/CASE/NAME" for stored inputs, "out/CASE/NAME" for the peer's outputs (f64 in the file, f32
//                      in memory)
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "layers/optim/parameter_arena.h"

namespace avs::parity {

using Json = nlohmann::json;

enum class Measure : uint8_t {
  RelativeNorm,    // root mean square of ours - theirs, over that of the whole output (1 if that is 0)
  MeanDifference,  // mean of |ours - theirs|: pixels
};

// Two computations in single precision with different rounding have about equal errors. Eight times the peer's own
// error allows for chance on both sides; if the peer happens to be exact, the floor applies.
inline constexpr double kPeerErrors = 8;

struct Expected {
  Tensor values;
  int64_t stride = 1;
  double floor = 0, scale = 1, single = 0;
  Measure measure = Measure::RelativeNorm;
  double tolerance() const { return std::max(floor, kPeerErrors * single); }
};

struct Case {
  std::string name;  // "conv2d/strided"
  std::string row;   // row of the table in docs/parity.md: "ops"
  std::string kind;  // selects the function in answer()
  std::string peer;  // "PyTorch 2.11.0"
  Json spec;
  NamedTensors inputs;
  std::map<std::string, Expected> expected;

  const Tensor& input(const std::string& input_name) const;  // DataError if there is none
};

// value[i] = shift + scale * u(i), u in [-1, 1) a hash of i and seed; peers/cases.py has the same formula.
Tensor draw(const Shape& shape, uint32_t seed, double scale, double shift);

std::vector<Case> load_cases(const std::filesystem::path& file);  // DataError naming the file
std::vector<Case> load_all_cases(const std::filesystem::path& folder);

// Returns this engine's outputs for the case, by name. DataError for an unknown kind.
NamedTensors answer(const Case& c);

struct Difference {
  std::string output;
  double error = 0, tolerance = 0;
  double single = 0;                                      // the peer's own error
  bool is_over() const { return !(error <= tolerance); }  // NaN is over
  double share() const;                                   // error / tolerance
};
// One per expected output; a missing or misshapen output has an infinite difference.
std::vector<Difference> differences(const Case& c, const NamedTensors& ours);
// The one with the largest share of its tolerance.
Difference worst(const std::vector<Difference>& all);

}  // namespace avs::parity
