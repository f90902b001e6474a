// The demo's data: eight scenes combined from four sights and four sounds, so that no single modality determines the
// class.
//
//              water        engine       music            birds
//   sea        beach        ferry
//   street                  traffic      street_concert
//   hall                                 ballroom         aviary
//   forest     riverside                                  woodland
//
// Each sight and each sound belongs to two scenes: one modality alone gives at most 50 % accuracy, both together up to
// 100 %. The scenes form a cycle (not an exclusive or): log-probabilities given sight and given sound add up, which the
// paper's linear fusion can express.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace avs::demo {

enum class Sight : uint8_t { Sea, Street, Hall, Forest };
enum class Sound : uint8_t { Water, Engine, Music, Birds };

struct Scene {
  std::string_view name;
  Sight sight;
  Sound sound;
};

inline constexpr std::array<Scene, 8> kScenes = {{{"aviary", Sight::Hall, Sound::Birds},
                                                  {"ballroom", Sight::Hall, Sound::Music},
                                                  {"beach", Sight::Sea, Sound::Water},
                                                  {"ferry", Sight::Sea, Sound::Engine},
                                                  {"riverside", Sight::Forest, Sound::Water},
                                                  {"street_concert", Sight::Street, Sound::Music},
                                                  {"traffic", Sight::Street, Sound::Engine},
                                                  {"woodland", Sight::Forest, Sound::Birds}}};

struct PictureFormat {
  int64_t width = 128, height = 96;  // pixels, even (4:2:0 video)
  double frames_per_second = 10;
};

// Renders one clip of a sight: u8 [frames, height, width, 3]. `rng` draws viewpoint, light, weather, colours,
// passers-by, camera shake and grain; sometimes fog or darkness hides most of the view.
Tensor render_sight(Sight sight, const PictureFormat& format, double seconds, Rng rng);

// Renders one clip of a sound: two channels interleaved, within [-1, 1]. `rng` draws pitch, tempo, loudness, position
// and background noise; sometimes the noise is louder than the sound.
std::vector<float> render_sound(Sound sound, int64_t sample_rate_hz, double seconds, Rng rng);

}  // namespace avs::demo
