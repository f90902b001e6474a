// The media files of a build with AVS_MEDIA=OFF: every function says that it has no decoders.
#include "audio/container.h"
#include "audio/decode.h"
#include "audio/video_hardware.h"
#include "tensor/error.h"

namespace avs {

[[noreturn]] static void no_media() {
  throw UsageError("this build reads and writes no media files: it was configured with AVS_MEDIA=OFF");
}

FramePtr make_frame() { no_media(); }
std::string media_versions() { return "no media libraries"; }
std::unique_ptr<SoundReader> SoundReader::open(const std::filesystem::path&) { no_media(); }
std::optional<Waveform> decode_sound(const std::filesystem::path&, double) { no_media(); }
std::vector<std::string> VideoHardware::kinds() { return {}; }
std::shared_ptr<const VideoHardware> VideoHardware::open(const std::string&) { no_media(); }
std::shared_ptr<const VideoHardware> VideoHardware::open_any() { return nullptr; }
VideoHardware::~VideoHardware() = default;

}  // namespace avs
