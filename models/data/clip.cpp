#include "models/data/clip.h"

#include "tensor/error.h"

namespace avs::data {

std::string_view name_of(Split split) {
  constexpr std::array<std::string_view, 3> names = {"train", "validation", "test"};
  return names[static_cast<size_t>(split)];
}

Split split_from_name(std::string_view name) {
  for (const Split split : kSplits)
    if (name == name_of(split)) return split;
  if (name == "val") return Split::Validation;
  throw UsageError(str("no split '", name, "': expected train, validation or test"));
}

}  // namespace avs::data
