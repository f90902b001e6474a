// The demo's own world: eight scenes made of four sights and four sounds, so that neither modality alone decides.
//
//              water        engine       music            birds
//   sea        beach        ferry
//   street                  traffic      street_concert
//   hall                                 ballroom         aviary
//   forest     riverside                                  woodland
//
// Each sight belongs to two scenes and each sound to two: who only looks, or only listens, is right half of the time
// at best; who does both can always know. The scenes form a cycle, not an exclusive or: the classes' log-probabilities
// given sight and sound add up, which is what the paper's linear fusion can express.
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
  int64_t width = 128, height = 96;  // pixels; even numbers, as 4:2:0 video wants
  double frames_per_second = 10;
};

// Pictures of one take of a sight: u8 [frames, height, width, 3]. Viewpoint, light, weather, colours, passers-by, the
// camera's shake and grain come from `rng`; now and then most of the view is hidden by fog or darkness.
Tensor render_sight(Sight sight, const PictureFormat& format, double seconds, Rng rng);

// One take of a sound, two channels interleaved, within [-1, 1]. Pitch, tempo, loudness, place and the noise around it
// come from `rng`; now and then the noise is louder than the sound.
std::vector<float> render_sound(Sound sound, int64_t sample_rate_hz, double seconds, Rng rng);

}  // namespace avs::demo
