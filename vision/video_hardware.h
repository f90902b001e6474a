// Video decoders in hardware (NVDEC, VA-API, Quick Sync, …), through FFmpeg and by FFmpeg's names: "cuda", "vaapi", "qsv".
// Which of them FFmpeg was built with, and whether a machine has one, is known when it is opened. Decoded pictures come
// back to ordinary memory, where they are scaled as ever.
#pragma once

#include <memory>
#include <string>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/hwcontext.h>
}

namespace avs {

class VideoHardware {
 public:
  static std::vector<std::string> kinds();  // that this FFmpeg can decode with
  // One line: UsageError for no such kind, DeviceError for none here.
  static std::shared_ptr<const VideoHardware> open(const std::string& kind);
  // The first kind that opens; null where none does.
  static std::shared_ptr<const VideoHardware> open_any();

  explicit VideoHardware(const std::string& kind);
  ~VideoHardware();
  VideoHardware(const VideoHardware&) = delete;
  VideoHardware& operator=(const VideoHardware&) = delete;

  const std::string& kind() const { return kind_; }
  // Lets a decoder that is not open yet use it. The format of pictures that lie in the hardware; AV_PIX_FMT_NONE: it
  // does not know this codec, which is then decoded on the CPU.
  AVPixelFormat attach(AVCodecContext& codec) const;

 private:
  std::string kind_;
  AVHWDeviceType type_ = AV_HWDEVICE_TYPE_NONE;
  AVBufferRef* device_ = nullptr;
};

}  // namespace avs
