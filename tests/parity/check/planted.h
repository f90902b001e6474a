// Mistakes of the kind that reimplementations make, each applied to our side of a comparison on purpose. A comparison
// that does not notice is worth nothing: every row of the table must catch its own (tests/parity/parity_test.cpp), and
// docs/parity.md lists what caught each.
#pragma once

#include <functional>

#include "tests/parity/check/case.h"

namespace avs::parity {

struct Mistake {
  std::string name, row;
  std::string what;                  // for the list
  std::function<bool(Case&)> plant;  // false: the case has nothing that this mistake could spoil
};

const std::vector<Mistake>& mistakes();

struct Catch {
  std::string by;  // "conv2d/strided: d_w"; empty: nothing noticed
  double error = 0, tolerance = 0;
  int cases = 0;   // how many the mistake was planted in
  int caught = 0;  // how many noticed
};
// Plants the mistake in every case of its row that it concerns. The catch reported is the clearest.
Catch catch_of(const Mistake& mistake, const std::vector<Case>& cases);

}  // namespace avs::parity
