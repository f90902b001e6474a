#include "audio/container.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstring>
#include <mutex>
#include <new>
#include <string_view>

#include "audio/video_hardware.h"
#include "tensor/error.h"

extern "C" {
#include <libswscale/swscale.h>
}

namespace avs {
namespace {

// One decoder runs on one thread, so its complaints arrive on the thread that will throw.
thread_local std::string last_log_line;

void keep_errors(void* source, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  std::array<char, 512> line;
  int print_prefix = 0;
  av_log_format_line2(source, level, format, arguments, line.data(), static_cast<int>(line.size()), &print_prefix);
  std::string text = line.data();
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && text.back() == ' ') text.pop_back();
  if (!text.empty()) last_log_line = text;
}

// FFmpeg would show a text file as a film of its letters, and a picture's demuxers match by file name alone.
bool is_text_art(const AVInputFormat& format) {
  constexpr std::array<std::string_view, 5> names = {"tty", "bin", "xbin", "adf", "idf"};
  return std::find(names.begin(), names.end(), format.name) != names.end();
}

FormatPtr open_container(const std::filesystem::path& path) {
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);  // a playlist in disguise must not reach for the network
  AVFormatContext* format = nullptr;
  const std::string url = "file:" + path.string();  // or a name with a colon would be taken for a protocol
  const int code = avformat_open_input(&format, url.c_str(), nullptr, &options);
  av_dict_free(&options);
  if (code < 0) throw DataError(str(path.string(), ": cannot be read as a media file: ", ffmpeg_reason(code)));
  return FormatPtr(format);
}

std::optional<int> best_stream(AVFormatContext& format, AVMediaType type) {
  const int index = av_find_best_stream(&format, type, -1, -1, nullptr, 0);
  if (index < 0 || (format.streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) return std::nullopt;
  return index;
}

std::string version(const char* library, unsigned number) {
  return str(library, " ", number >> 16, ".", number >> 8 & 255, ".", number & 255);
}

}  // namespace

std::string media_versions() {
  return str(version("libavformat", avformat_version()), ", ", version("libavcodec", avcodec_version()), ", ",
             version("libswscale", swscale_version()));
}

void silence_ffmpeg() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(keep_errors); });
}

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

std::string ffmpeg_reason(int error_code) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text = {};
  av_strerror(error_code, text.data(), text.size());
  std::string reason = text.data();
  if (!last_log_line.empty()) reason += " (" + last_log_line + ")";
  last_log_line.clear();
  return reason;
}

// ---- MediaFile --------------------------------------------------------------

MediaFile::MediaFile(const std::filesystem::path& path) : path_(path) {
  silence_ffmpeg();
  last_log_line.clear();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw DataError(str(path.string(), ": no such file"));
  if (!std::filesystem::is_regular_file(status)) throw DataError(str(path.string(), ": not a regular file"));
  if (std::filesystem::file_size(path, error) == 0) throw DataError(str(path.string(), ": the file is empty"));

  format_ = open_container(path);
  if (is_text_art(*format_->iformat)) throw DataError(str(path.string(), ": this is text, not a media file"));
  const int code = avformat_find_stream_info(format_.get(), nullptr);
  if (code < 0) throw DataError(str(path.string(), ": no streams can be found: ", ffmpeg_reason(code)));
  audio_stream_ = best_stream(*format_, AVMEDIA_TYPE_AUDIO);
  video_stream_ = best_stream(*format_, AVMEDIA_TYPE_VIDEO);
  if (!audio_stream_ && !video_stream_)
    throw DataError(
        str(path.string(), ": holds neither sound nor video (FFmpeg calls it '", format_->iformat->name, "')"));
}

std::optional<double> MediaFile::duration_seconds() const {
  if (format_->duration == AV_NOPTS_VALUE || format_->duration <= 0) return std::nullopt;
  return static_cast<double>(format_->duration) / AV_TIME_BASE;
}

// A negative start is a codec's priming, cut away before frames reach us: second 0 is still timestamp 0.
double MediaFile::origin_seconds() const {
  if (format_->start_time == AV_NOPTS_VALUE) return 0;
  return std::max(0.0, static_cast<double>(format_->start_time) / AV_TIME_BASE);
}

// ---- Decoder ----------------------------------------------------------------

Decoder::Decoder(MediaFile& file, int stream_index, DecoderOptions options)
    : file_(file),
      stream_index_(stream_index),
      options_(std::move(options)),
      frame_(make_frame()),
      packet_(make_packet()) {
  const AVCodecParameters& parameters = *file.stream(stream_index).codecpar;
  const std::string what = str(file.path().string(), ": stream ", stream_index);
  const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
  if (codec == nullptr)
    throw DataError(
        str(what, " cannot be decoded: no decoder for codec '", avcodec_get_name(parameters.codec_id), "'"));
  const AVCodecDescriptor* description = avcodec_descriptor_get(parameters.codec_id);
  is_intra_only_ = description != nullptr && (description->props & AV_CODEC_PROP_INTRA_ONLY) != 0;
  codec_.reset(avcodec_alloc_context3(codec));
  if (!codec_) throw std::bad_alloc();
  int code = avcodec_parameters_to_context(codec_.get(), &parameters);
  codec_->thread_count = options_.threads;
  codec_->pkt_timebase = file.stream(stream_index).time_base;  // without it encoder delay is not cut away
  if (options_.hardware != nullptr && parameters.codec_type == AVMEDIA_TYPE_VIDEO)
    in_hardware_ = options_.hardware->attach(*codec_);
  if (code >= 0) code = avcodec_open2(codec_.get(), codec, nullptr);
  if (code < 0) throw DataError(str(what, " (", codec->name, ") cannot be decoded: ", ffmpeg_reason(code)));
  for (unsigned i = 0; i < file.native().nb_streams; ++i)
    file.native().streams[i]->discard = static_cast<int>(i) == stream_index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

AVFrame* Decoder::next_frame() {
  for (;;) {
    av_frame_unref(frame_.get());
    const int code = avcodec_receive_frame(codec_.get(), frame_.get());
    if (code == 0 && !bring_down()) continue;
    if (code == 0) {
      ++frames_;
      return frame_.get();
    }
    if (code == AVERROR_EOF) return nullptr;
    if (code != AVERROR(EAGAIN)) {
      ++corrupt_packets_;
      reason_ = ffmpeg_reason(code);
    }
    if (!send_next_packet()) {
      if (flushing_ && code != AVERROR(EAGAIN)) return nullptr;  // an error while draining would repeat for ever
      flushing_ = true;
    }
  }
}

bool Decoder::bring_down() {
  if (in_hardware_ == AV_PIX_FMT_NONE || frame_->format != in_hardware_) return true;
  FramePtr here = make_frame();
  int code = av_hwframe_transfer_data(here.get(), frame_.get(), 0);
  if (code >= 0) code = av_frame_copy_props(here.get(), frame_.get());
  if (code < 0) {
    ++corrupt_packets_;
    reason_ = ffmpeg_reason(code);
    return false;
  }
  frame_ = std::move(here);
  return true;
}

bool Decoder::send_next_packet() {
  for (;;) {
    av_packet_unref(packet_.get());
    const int read = flushing_ ? AVERROR_EOF : av_read_frame(&file_.native(), packet_.get());
    if (read < 0) {
      if (read != AVERROR_EOF) {
        truncated_ = true;
        reason_ = ffmpeg_reason(read);
      }
      avcodec_send_packet(codec_.get(), nullptr);
      return false;
    }
    if (packet_->stream_index != stream_index_) continue;
    refuse_encrypted();
    if (may_drop()) continue;
    const int sent = avcodec_send_packet(codec_.get(), packet_.get());
    if (sent >= 0) return true;
    if (sent == AVERROR(ENOMEM)) throw std::bad_alloc();
    ++corrupt_packets_;
    reason_ = ffmpeg_reason(sent);
  }
}

// Decoders do not notice: they would make noise of it.
void Decoder::refuse_encrypted() const {
  if (av_packet_get_side_data(packet_.get(), AV_PKT_DATA_ENCRYPTION_INFO, nullptr) != nullptr)
    throw DataError(str(file_.path().string(), ": stream ", stream_index_, " is encrypted (DRM)"));
}

bool Decoder::may_drop() {
  if (!options_.is_needed) return false;
  const bool is_needed = options_.is_needed(*packet_);
  codec_->skip_frame = is_needed ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
  return !is_needed && is_intra_only_;
}

std::optional<double> Decoder::seconds(const AVFrame& frame) const {
  const int64_t timestamp = frame.best_effort_timestamp;
  if (timestamp == AV_NOPTS_VALUE) return std::nullopt;
  return static_cast<double>(timestamp) * av_q2d(stream().time_base) - file_.origin_seconds();
}

}  // namespace avs
