// The build with AVS_MEDIA=OFF: writing videos throws.
#include "apps/data/media_writer.h"
#include "tensor/error.h"

namespace avs::data {

void write_mp4(const std::filesystem::path& path, const MediaContents&) {
  throw UsageError(path.string() + ": this build writes no videos: it was configured with AVS_MEDIA=OFF");
}

}  // namespace avs::data
