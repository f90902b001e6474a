#include "models/modality.h"

#include "tensor/error.h"

namespace avs {

std::string_view name_of(Modality modality) {
  constexpr std::array<std::string_view, kModalities.size()> names = {"frames", "mel", "gam", "cqt"};
  return names[static_cast<size_t>(modality)];
}

Modality modality_from_name(std::string_view name) {
  for (const Modality modality : kModalities)
    if (name == name_of(modality)) return modality;
  throw UsageError(str("no kind '", name, "': expected frames, mel, gam or cqt"));
}

}  // namespace avs
