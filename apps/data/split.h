// Cutting a validation or test split out of others, class by class.
#pragma once

#include "apps/data/layout.h"
#include "tensor/rng.h"

namespace avs::data {

enum class CutBy : uint8_t { Recording, Clip };

// Recordings, when every name tells one and some recording has several clips: otherwise they carry no information.
CutBy cut_for(const std::vector<Clip>& clips);

// Moves about `share` of each class's clips in split `from` to split `to`; whole recordings where asked and where a
// class has more than one. At least one clip moves and one stays where a class has two; the choice depends on names and
// rng.
void cut_split(std::vector<Clip>& clips, int64_t classes, Split from, Split to, double share, CutBy by, const Rng& rng);

}  // namespace avs::data
