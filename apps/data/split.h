// Cutting a test and a validation split out of the training clips, class by class, where the data set gives none.
//
// The cuts are made over the clips that decode, so that files which are no clips never fill a split. They depend on the
// seed and the clips' names only, keep every class on both sides where it has two clips, and never part a recording:
// where names say which recording or location a clip is from (three or more parts joined by '-', the last one the take:
// scene-city-location-segment, class-fold-source-take), all its clips stay together. Train and test share no location
// (docs/paper.md#data-set-and-metric).
#pragma once

#include <string>

#include "apps/data/layout.h"
#include "tensor/rng.h"

namespace avs::data {

struct SplitOptions {
  uint64_t seed = 0;
  double validation_share = 0.15;  // of each class's training clips, where there is no validation split
  double test_share = 0.30;        // of each class, where there is no test split
};

// Moves clips of layout.clips, all of which decode, from the training split to those that the folder does not give.
// Returns how the validation split came about: "as given", "by recording" or "by clip".
std::string cut_splits(Layout& layout, const SplitOptions& options);

enum class CutBy : uint8_t { Recording, Clip };

// Recordings, when every name tells one and some recording has several clips: otherwise they carry no information.
CutBy cut_for(const std::vector<Clip>& clips);

// Moves about `share` of each class's clips in split `from` to split `to`; whole recordings where asked and where a
// class has more than one. At least one clip moves and one stays where a class has two; the choice depends on names and
// rng.
void cut_split(std::vector<Clip>& clips, int64_t classes, Split from, Split to, double share, CutBy by, const Rng& rng);

}  // namespace avs::data
