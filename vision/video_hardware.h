// Hardware video decoders (NVDEC, VA-API, Quick Sync, …) by FFmpeg's names: "cuda", "vaapi", "qsv". FFmpeg's build and
// the machine decide which ones open. Decoded pictures are copied to CPU memory and scaled there.
#pragma once

#include <memory>
#include <string>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
}

#include "tensor/no_copy.h"

namespace avs {

class VideoHardware : NoCopy {
 public:
  static std::vector<std::string> kinds();  // the kinds that this FFmpeg can decode with
  // UsageError: no such kind. DeviceError: this machine has none. Both messages have one line.
  static std::shared_ptr<const VideoHardware> open(const std::string& kind);
  // The first kind that opens; null if none does.
  static std::shared_ptr<const VideoHardware> open_any();

  explicit VideoHardware(const std::string& kind);
  ~VideoHardware();

  const std::string& kind() const { return kind_; }
  // Sets up a codec context that is not open yet. Returns the pixel format of pictures in hardware memory;
  // AV_PIX_FMT_NONE: the hardware does not support the codec, and the CPU decodes.
  AVPixelFormat attach(AVCodecContext& codec) const;

 private:
  std::string kind_;
  AVHWDeviceType type_ = AV_HWDEVICE_TYPE_NONE;
  AVBufferRef* device_ = nullptr;
};

}  // namespace avs
