// A case of agreement: inputs, and what another library computes from them. Cases travel in safetensors files that
// tests/parity/peers/ writes: the small ones of tests/golden/parity are checked in, ./run parity makes larger ones.
//
//   metadata["parity"] JSON: {versions, cases: [{name, row, kind, peer, spec, inputs, expected}, …]}
//     inputs           NAME: "stored", or {"shape", "seed", "scale", "shift"}: drawn by draw() on both sides, so that
//                      files stay small and nobody has to ship a network's weights
//     expected         NAME: {"stride", "floor", "scale", "single"}: of a large answer only every stride-th value is
//                      kept, scale is the root mean square of all of them, and single is how far the peer's own single
//                      precision is off from its double precision, as a relative norm; or {"stride", "floor",
//                      "measure": "mean"} for a mean difference
//     spec             what to compute; files that it names lie in the folder of the cases, spec["folder"] once read,
//                      or with "from_test_data" in that of the test data
//   tensors            "in/CASE/NAME" for what is stored, "out/CASE/NAME" for what the peer answered (f64 there, f32
//   here)
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
  RelativeNorm,    // root mean square of ours - theirs, over that of the whole answer (1 where that is 0)
  MeanDifference,  // mean of |ours - theirs|: pixels
};

// Two computations in single precision that round in different order are about equally far from the exact answer. Eight
// times the peer's own error leaves room for the luck of both; where it is lucky, the floor counts.
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
  std::string row;   // of the table in docs/parity.md: "ops"
  std::string kind;  // who of ours answers: see answer()
  std::string peer;  // "PyTorch 2.11.0"
  Json spec;
  NamedTensors inputs;
  std::map<std::string, Expected> expected;

  const Tensor& input(const std::string& input_name) const;  // DataError when there is none
};

// value[i] = shift + scale * u(i), u in [-1, 1) a hash of i and seed; the same formula stands in peers/cases.py.
Tensor draw(const Shape& shape, uint32_t seed, double scale, double shift);

std::vector<Case> load_cases(const std::filesystem::path& file);  // DataError naming the file
std::vector<Case> load_all_cases(const std::filesystem::path& folder);

// What this engine makes of the case, by output name. DataError for a kind nobody answers.
NamedTensors answer(const Case& c);

struct Difference {
  std::string output;
  double error = 0, tolerance = 0;
  double single = 0;                                      // the peer's own error
  bool is_over() const { return !(error <= tolerance); }  // NaN is over
  double share() const;                                   // of the tolerance that the error takes
};
// One per expected output; an output that is missing or misshapen differs infinitely.
std::vector<Difference> differences(const Case& c, const NamedTensors& ours);
// The one nearest to, or furthest over, its tolerance.
Difference worst(const std::vector<Difference>& all);

}  // namespace avs::parity
