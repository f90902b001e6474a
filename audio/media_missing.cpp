// The build with AVS_MEDIA=OFF: every function throws that it has no decoders.
#include "audio/decode.h"
#include "tensor/error.h"

namespace avs {

[[noreturn]] static void no_sound() {
  throw UsageError("this build reads no sounds: it was configured with AVS_MEDIA=OFF");
}

std::unique_ptr<SoundReader> SoundReader::open(const std::filesystem::path&) { no_sound(); }
std::optional<Waveform> decode_sound(const std::filesystem::path&, double) { no_sound(); }

}  // namespace avs
