#include "vision/video_hardware.h"

#include <new>

#include "tensor/error.h"
#include "vision/container.h"

namespace avs {
namespace {

bool is_for(const AVCodecHWConfig& config, AVHWDeviceType type) {
  return config.device_type == type && (config.methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) != 0;
}

// FFmpeg calls it with the formats that it offers. Hardware that refuses a stream's profile or size does not offer its
// format.
AVPixelFormat choose_format(AVCodecContext* codec, const AVPixelFormat* offered) {
  for (const AVPixelFormat* format = offered; *format != AV_PIX_FMT_NONE; ++format)
    for (int i = 0;; ++i) {
      const AVCodecHWConfig* const config = avcodec_get_hw_config(codec->codec, i);
      if (config == nullptr) break;
      const auto* const device = reinterpret_cast<const AVHWDeviceContext*>(codec->hw_device_ctx->data);
      if (config->pix_fmt == *format && is_for(*config, device->type)) return *format;
    }
  return avcodec_default_get_format(codec, offered);
}

// Some FFmpeg devices only scale (OpenCL, Vulkan); they do not count.
bool decodes(AVHWDeviceType type) {
  void* position = nullptr;
  while (const AVCodec* const codec = av_codec_iterate(&position)) {
    if (av_codec_is_decoder(codec) == 0) continue;
    for (int i = 0; const AVCodecHWConfig* const config = avcodec_get_hw_config(codec, i); ++i)
      if (is_for(*config, type)) return true;
  }
  return false;
}

}  // namespace

std::vector<std::string> VideoHardware::kinds() {
  std::vector<std::string> names;
  for (AVHWDeviceType type = AV_HWDEVICE_TYPE_NONE; (type = av_hwdevice_iterate_types(type)) != AV_HWDEVICE_TYPE_NONE;)
    if (decodes(type)) names.emplace_back(av_hwdevice_get_type_name(type));
  return names;
}

std::shared_ptr<const VideoHardware> VideoHardware::open(const std::string& kind) {
  return std::make_shared<const VideoHardware>(kind);
}

std::shared_ptr<const VideoHardware> VideoHardware::open_any() {
  for (const char* const kind : {"cuda", "vaapi", "qsv", "vdpau"}) {
    if (av_hwdevice_find_type_by_name(kind) == AV_HWDEVICE_TYPE_NONE) continue;
    try {
      return open(kind);
    } catch (const DeviceError&) {
      continue;
    }
  }
  return nullptr;
}

VideoHardware::VideoHardware(const std::string& kind)
    : kind_(kind), type_(av_hwdevice_find_type_by_name(kind.c_str())) {
  silence_ffmpeg();
  if (type_ == AV_HWDEVICE_TYPE_NONE || !decodes(type_)) {
    std::string known;
    for (const std::string& name : kinds()) known += (known.empty() ? "" : ", ") + name;
    throw UsageError(str("no video decoder of the kind '", kind, "'; this FFmpeg knows ", known));
  }
  const int code = av_hwdevice_ctx_create(&device_, type_, nullptr, nullptr, 0);
  if (code < 0) throw DeviceError(str("the video decoder '", kind, "' cannot be opened: ", ffmpeg_reason(code)));
}

VideoHardware::~VideoHardware() { av_buffer_unref(&device_); }

AVPixelFormat VideoHardware::attach(AVCodecContext& codec) const {
  for (int i = 0;; ++i) {
    const AVCodecHWConfig* const config = avcodec_get_hw_config(codec.codec, i);
    if (config == nullptr) return AV_PIX_FMT_NONE;
    if (!is_for(*config, type_)) continue;
    codec.hw_device_ctx = av_buffer_ref(device_);
    if (codec.hw_device_ctx == nullptr) throw std::bad_alloc();
    codec.get_format = choose_format;
    return config->pix_fmt;
  }
}

}  // namespace avs
