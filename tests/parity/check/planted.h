// Typical mistakes of reimplementations, applied on purpose to our side of a comparison. A comparison that misses them
// is worth nothing: every row of the table must catch its own (tests/parity/parity_test.cpp), and docs/parity.md lists
// the case that caught each.
#pragma once

#include <functional>

#include "tests/parity/check/case.h"

namespace avs::parity {

struct Mistake {
  std::string name, row;
  std::string what;                  // for the list
  std::function<bool(Case&)> plant;  // returns false if the case has nothing that this mistake changes
};

const std::vector<Mistake>& mistakes();

struct Catch {
  std::string by;  // "conv2d/strided: d_w"; empty if no case caught it
  double error = 0, tolerance = 0;
  int cases = 0;   // cases that have the mistake
  int caught = 0;  // cases that caught it
};
// Plants the mistake in every case of its row to which it applies. The reported catch is the clearest.
Catch catch_of(const Mistake& mistake, const std::vector<Case>& cases);

}  // namespace avs::parity
