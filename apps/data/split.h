// Cuts missing test and validation splits from the training clips, class by class.
//
// Only clips that decode are split, so that invalid files never fill a split. The result depends only on the seed and
// the clips' names. A class with two or more clips keeps clips on both sides. Clips of one recording stay together if
// names state it (three or more parts joined by '-', the last one the take: scene-city-location-segment,
// class-fold-source-take): train and test share no location (docs/paper.md#data-set-and-metric).
#pragma once

#include <string>

#include "apps/data/layout.h"
#include "tensor/rng.h"

namespace avs::data {

struct SplitOptions {
  uint64_t seed = 0;
  double validation_share = 0.15;  // fraction of each class's training clips
  double test_share = 0.30;        // fraction of each class
};

// Moves clips of layout.clips (all decodable) from the training split to the splits that the folder does not define.
// Returns the method used for validation: "as given", "by recording" or "by clip".
std::string cut_splits(Layout& layout, const SplitOptions& options);

enum class CutBy : uint8_t { Recording, Clip };

// Recording, if every name states one and some recording has several clips; otherwise names carry no information.
CutBy cut_for(const std::vector<Clip>& clips);

// Moves about `share` of each class's clips from split `from` to split `to`: whole recordings if requested and the
// class has more than one. In a class with two or more clips, at least one moves and one stays. Depends on names and
// rng.
void cut_split(std::vector<Clip>& clips, int64_t classes, Split from, Split to, double share, CutBy by, const Rng& rng);

}  // namespace avs::data
