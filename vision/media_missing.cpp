// The pictures of a build with AVS_MEDIA=OFF: every function says that it has no decoders.
#include "tensor/error.h"
#include "vision/frames.h"
#include "vision/scale.h"

namespace avs {

[[noreturn]] static void no_pictures() {
  throw UsageError("this build reads no pictures or videos: it was configured with AVS_MEDIA=OFF");
}

int64_t max_frame_count(const FrameOptions&) { no_pictures(); }
std::optional<Frames> sample_frames(const std::filesystem::path&, const FrameOptions&) { no_pictures(); }
void orient(uint8_t*, int64_t, Orientation) { no_pictures(); }
SquareScaler::SquareScaler(int64_t) { no_pictures(); }
SquareScaler::~SquareScaler() = default;
void SquareScaler::operator()(const AVFrame&, uint8_t*) { no_pictures(); }

}  // namespace avs
