// The four things that a network may read of a clip: its pictures, or one of three spectrograms of its sound.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace avs {

enum class Modality : uint32_t { Frames, Mel, Gammatone, Cqt };  // the numbers stand in files (models/data/entry.h)
inline constexpr std::array<Modality, 4> kModalities = {Modality::Frames, Modality::Mel, Modality::Gammatone,
                                                        Modality::Cqt};
std::string_view name_of(Modality modality);         // "frames", "mel", "gam", "cqt"
Modality modality_from_name(std::string_view name);  // UsageError lists the names
inline bool is_sound(Modality modality) { return modality != Modality::Frames; }

}  // namespace avs
