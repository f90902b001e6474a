// The build with AVS_MEDIA=OFF: every function throws that it has no decoders.
#include "tensor/error.h"
#include "vision/container.h"
#include "vision/frames.h"
#include "vision/image.h"
#include "vision/scale.h"
#include "vision/video_hardware.h"

namespace avs {

[[noreturn]] static void no_pictures() {
  throw UsageError("this build reads no pictures or videos: it was configured with AVS_MEDIA=OFF");
}

void FfmpegDeleter::operator()(AVFrame*) const {}
FramePtr make_frame() { no_pictures(); }
std::string media_versions() { return "no media libraries"; }
std::vector<std::string> VideoHardware::kinds() { return {}; }
std::shared_ptr<const VideoHardware> VideoHardware::open(const std::string&) { no_pictures(); }
std::shared_ptr<const VideoHardware> VideoHardware::open_any() { return nullptr; }
VideoHardware::~VideoHardware() = default;

int64_t max_frame_count(const FrameOptions&) { no_pictures(); }
std::optional<Frames> sample_frames(const std::filesystem::path&, const FrameOptions&) { no_pictures(); }
void orient(uint8_t*, int64_t, Orientation) { no_pictures(); }
Tensor to_square(const Image&, int64_t) { no_pictures(); }
SquareScaler::SquareScaler(int64_t) { no_pictures(); }
SquareScaler::~SquareScaler() = default;
void SquareScaler::operator()(const AVFrame&, uint8_t*) { no_pictures(); }

}  // namespace avs
