#include "vision/container.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <string_view>

#include "tensor/error.h"
#include "vision/video_hardware.h"

extern "C" {
#include <libavutil/avstring.h>
#include <libswscale/swscale.h>
}

namespace avs {
namespace {

// Each decoder has one thread, so FFmpeg logs its errors on the thread that throws.
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

// ---- restricted I/O -----------------------------------------------------------

constexpr int kIoBytes = 1 << 15;

int read_source(void* source, uint8_t* to, int bytes) {
  const size_t got = static_cast<SourceFile*>(source)->read(to, static_cast<size_t>(bytes));
  return got == 0 ? AVERROR_EOF : static_cast<int>(got);
}

int64_t seek_source(void* opaque, int64_t offset, int whence) {
  auto& source = *static_cast<SourceFile*>(opaque);
  if ((whence & AVSEEK_SIZE) != 0) return source.size();
  whence &= ~AVSEEK_FORCE;
  const int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source.position() : source.size();
  return source.seek(from + offset) ? source.position() : AVERROR(EINVAL);
}

IoPtr make_io(SourceFile& source) {
  auto* buffer = static_cast<unsigned char*>(av_malloc(kIoBytes));
  IoPtr io(buffer == nullptr ? nullptr
                             : avio_alloc_context(buffer, kIoBytes, 0, &source, read_source, nullptr, seek_source));
  if (io) return io;
  av_free(buffer);
  throw std::bad_alloc();
}

int open_nothing(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EPERM); }

// True for formats that open other files or URLs. AVFMT_NOFILE marks those that open their files themselves (image2
// reads a numbered series).
bool names_other_files(const AVInputFormat& format) {
  constexpr const char* names =
      "hls,dash,webm_dash_manifest,concat,imf,sdp,rtp,rtsp,sap,svg_pipe,vobsub,avisynth,vapoursynth";
  return (format.flags & AVFMT_NOFILE) != 0 || av_match_list(format.name, names, ',') != 0;
}

// FFmpeg would decode a text file as a video that shows its text; such formats are refused.
bool is_text_art(const AVInputFormat& format) { return av_match_list(format.name, "tty,bin,xbin,adf,idf", ',') != 0; }

// Keeps the extension, which helps to recognise formats. The rest of the name must not be read as a pattern or
// protocol.
std::string name_for_probing(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  const bool is_plain = std::all_of(extension.begin(), extension.end(),
                                    [](unsigned char c) { return c == '.' || (c < 128 && std::isalnum(c) != 0); });
  return "media" + (is_plain ? extension : "");
}

const AVInputFormat& find_format(AVIOContext& io, SourceFile& source, const std::string& name) {
  const AVInputFormat* format = nullptr;
  int code = av_probe_input_buffer2(&io, &format, name.c_str(), nullptr, 0, 0);
  if (code >= 0 && std::strcmp(format->name, "image2") == 0) {  // image2 is chosen by name and opens files itself
    format = nullptr;
    if (avio_seek(&io, 0, SEEK_SET) == 0) code = av_probe_input_buffer2(&io, &format, "", nullptr, 0, 0);
    if (code == AVERROR_INVALIDDATA && av_match_ext(name.c_str(), "tga,pbm,pgm,ppm") != 0) {  // these have no signature
      format = av_find_input_format("image2pipe");
      code = static_cast<int>(std::min<int64_t>(avio_seek(&io, 0, SEEK_SET), 0));
    }
  }
  source.throw_if_failed();
  const std::string path = source.path().string();
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (code < 0) throw DataError(str(path, ": cannot be read as a media file: ", ffmpeg_reason(code)));
  if (is_text_art(*format)) throw DataError(str(path, ": this is text, not a media file"));
  if (names_other_files(*format))
    throw DataError(
        str(path, ": not a media file but a description of others (", format->name, "), which is not read"));
  return *format;
}

FormatPtr open_container(AVIOContext& io, SourceFile& source) {
  const std::string name = name_for_probing(source.path());
  const AVInputFormat& input = find_format(io, source, name);
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr) throw std::bad_alloc();
  format->pb = &io;
  format->io_open = open_nothing;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  av_dict_set(&options, "format_whitelist", input.name, 0);
  if (std::strcmp(input.name, "image2pipe") == 0)  // the file is one picture
    av_dict_set_int(&options, "frame_size", std::min<int64_t>(source.size(), INT32_MAX), 0);
  const int code = avformat_open_input(&format, name.c_str(), &input, &options);
  av_dict_free(&options);
  source.throw_if_failed();
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (code < 0) throw DataError(str(source.path().string(), ": cannot be read as a media file: ", ffmpeg_reason(code)));
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

// Calls FFmpeg. Some demuxers and decoders answer a refused allocation with a damaged frame; the allocator left ENOMEM in
// errno then. std::bad_alloc: memory was refused.
template <typename Call>
int unless_out_of_memory(const Call& call) {
  errno = 0;
  const int code = call();
  if (code == AVERROR(ENOMEM) || errno == ENOMEM) throw std::bad_alloc();
  return code;
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

void FfmpegDeleter::operator()(AVFrame* frame) const { av_frame_free(&frame); }
void FfmpegDeleter::operator()(AVPacket* packet) const { av_packet_free(&packet); }
void FfmpegDeleter::operator()(AVCodecContext* codec) const { avcodec_free_context(&codec); }
void FfmpegDeleter::operator()(AVFormatContext* format) const { avformat_close_input(&format); }
void FfmpegDeleter::operator()(AVIOContext* io) const {
  av_freep(&io->buffer);
  avio_context_free(&io);
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

MediaFile::MediaFile(const std::filesystem::path& path) {
  silence_ffmpeg();
  last_log_line.clear();
  source_ = std::make_unique<SourceFile>(path);
  io_ = make_io(*source_);
  format_ = open_container(*io_, *source_);
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    const AVStream& found = *format_->streams[i];
    own_seconds_.push_back(found.duration > 0 ? static_cast<double>(found.duration) * av_q2d(found.time_base) : 0);
  }
  const int code = avformat_find_stream_info(format_.get(), nullptr);
  source_->throw_if_failed();
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (code < 0) throw DataError(str(path.string(), ": no streams can be found: ", ffmpeg_reason(code)));
  audio_stream_ = best_stream(*format_, AVMEDIA_TYPE_AUDIO);
  video_stream_ = best_stream(*format_, AVMEDIA_TYPE_VIDEO);
  if (!audio_stream_ && !video_stream_)
    throw DataError(
        str(path.string(), ": holds neither sound nor video (FFmpeg calls it '", format_->iformat->name, "')"));
}

// Formats with discontinuous clocks have a flag; 10 s is the ffmpeg program's limit.
int MediaFile::read(AVPacket& packet) {
  const int code = unless_out_of_memory([&] { return av_read_frame(format_.get(), &packet); });
  source_->throw_if_failed();
  if (code < 0) return code;
  const bool may_jump = (format_->iformat->flags & AVFMT_TS_DISCONT) != 0;
  const auto index = static_cast<size_t>(packet.stream_index);
  if (index >= clocks_.size()) clocks_.resize(index + 1);
  clocks_[index].run_on(packet, stream(packet.stream_index).time_base, may_jump ? 10 : 1e9);
  return code;
}

// A negative start of sound is encoder priming, which is dropped before frames are returned: second 0 stays timestamp
// 0. Pictures have no priming: their negative start is a clock that wrapped around.
double MediaFile::origin_seconds() const {
  if (format_->start_time == AV_NOPTS_VALUE) return 0;
  const double start = static_cast<double>(format_->start_time) / AV_TIME_BASE;
  if (start >= 0 || !video_stream_) return std::max(0.0, start);
  const AVStream& video = stream(*video_stream_);
  return video.start_time == AV_NOPTS_VALUE || video.start_time >= 0 ? 0 : start;
}

std::optional<double> MediaFile::promised_seconds(int stream_index) const {
  const bool is_measured = av_match_list(format_->iformat->name, "ogg,avi,asf", ',') != 0 || is_fragmented(*source_);
  if (is_measured) return std::nullopt;
  const auto index = static_cast<size_t>(stream_index);
  if (index < own_seconds_.size() && own_seconds_[index] > 0) return own_seconds_[index];
  const bool is_guessed = format_->duration_estimation_method != AVFMT_DURATION_FROM_STREAM;
  if (is_guessed || format_->duration == AV_NOPTS_VALUE || format_->duration <= 0) return std::nullopt;
  return static_cast<double>(format_->duration) / AV_TIME_BASE;
}

MediaFile::Ending MediaFile::judge_end(int stream_index, double end_seconds, double wanted_seconds) const {
  // A container may state a later end than its last packet's: rounding, a last packet without duration, sound padded to
  // whole frames. Some count from timestamp 0 instead of the start.
  constexpr double kSlackSeconds = 0.5, kSlackShare = 0.05;
  const std::optional<double> promised = promised_seconds(stream_index);
  const double wanted = std::min(promised.value_or(wanted_seconds), wanted_seconds);
  if (promised) {
    const double found = std::max(end_seconds, end_seconds + origin_seconds()) + kSlackSeconds;
    if (wanted <= end_seconds + kSlackSeconds + kSlackShare * wanted || *promised <= found) return {};
  }
  const FileEnd end = end_of(*source_);
  if (end == FileEnd::Cut || (end == FileEnd::Unknown && promised)) return {.is_cut = true, .note = {}};
  if (!promised) return {};
  std::array<char, 96> note;
  std::snprintf(note.data(), note.size(), "the header promises %.1f s, the file holds %.1f s", *promised, end_seconds);
  return {.is_cut = false, .note = note.data()};
}

// ---- StreamClock --------------------------------------------------------------

void StreamClock::run_on(AVPacket& packet, AVRational time_base, double forward_limit) {
  constexpr double kBackLimit = 0.5;  // smaller steps back are rounding
  if (packet.dts != AV_NOPTS_VALUE) {
    const int64_t step = last_ == AV_NOPTS_VALUE ? 0 : packet.dts + offset_ - last_;
    const double seconds = static_cast<double>(step) * av_q2d(time_base);
    if (seconds < -kBackLimit || seconds > forward_limit)
      offset_ = last_ + step_ - packet.dts;
    else if (step > 0)
      step_ = step;
    packet.dts += offset_;
    last_ = packet.dts;
  }
  if (packet.pts != AV_NOPTS_VALUE) packet.pts += offset_;
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
  codec_->pkt_timebase = file.stream(stream_index).time_base;  // needed to drop encoder delay
  if (options_.hardware != nullptr && parameters.codec_type == AVMEDIA_TYPE_VIDEO)
    in_hardware_ = options_.hardware->attach(*codec_);
  if (code >= 0) code = avcodec_open2(codec_.get(), codec, nullptr);
  if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
  if (code < 0) throw DataError(str(what, " (", codec->name, ") cannot be decoded: ", ffmpeg_reason(code)));
  for (unsigned i = 0; i < file.native().nb_streams; ++i)
    file.native().streams[i]->discard = static_cast<int>(i) == stream_index ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
}

AVFrame* Decoder::next_frame() {
  for (;;) {
    av_frame_unref(frame_.get());
    const int code = unless_out_of_memory([&] { return avcodec_receive_frame(codec_.get(), frame_.get()); });
    if (code == 0 && !bring_down()) continue;
    if (code == 0) {
      ++frames_;
      const bool is_damaged = frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0;
      if (is_damaged)
        count_damage(frame_->best_effort_timestamp);
      else
        last_good_ = seconds(*frame_).value_or(last_good_);
      return frame_.get();
    }
    if (code == AVERROR_EOF) return nullptr;
    if (code != AVERROR(EAGAIN)) count_corrupt(code);
    if (!send_next_packet()) {
      if (flushing_ && code != AVERROR(EAGAIN)) return nullptr;  // an error while draining would repeat forever
      flushing_ = true;
    }
  }
}

bool Decoder::bring_down() {
  if (in_hardware_ == AV_PIX_FMT_NONE || frame_->format != in_hardware_) return true;
  FramePtr on_cpu = make_frame();
  int code = av_hwframe_transfer_data(on_cpu.get(), frame_.get(), 0);
  if (code >= 0) code = av_frame_copy_props(on_cpu.get(), frame_.get());
  if (code < 0) {
    count_corrupt(code);
    return false;
  }
  frame_ = std::move(on_cpu);
  return true;
}

bool Decoder::send_next_packet() {
  for (;;) {
    av_packet_unref(packet_.get());
    const int read = flushing_ ? AVERROR_EOF : file_.read(*packet_);
    if (read < 0) {
      if (read != AVERROR_EOF) {
        truncated_ = true;
        reason_ = ffmpeg_reason(read);
      }
      avcodec_send_packet(codec_.get(), nullptr);
      return false;
    }
    if (packet_->stream_index != stream_index_) continue;
    const double length = static_cast<double>(std::max<int64_t>(packet_->duration, 0)) * av_q2d(stream().time_base);
    if (const auto begin = seconds_at(packet_->pts)) end_seconds_ = std::max(end_seconds_, *begin + length);
    refuse_encrypted();
    if (may_drop()) continue;
    const int sent = unless_out_of_memory([&] { return avcodec_send_packet(codec_.get(), packet_.get()); });
    if (sent >= 0) return true;
    count_corrupt(sent);
  }
}

void Decoder::count_corrupt(int code) {
  ++corrupt_packets_;
  reason_ = ffmpeg_reason(code);
  count_damage(packet_->pts != AV_NOPTS_VALUE ? packet_->pts : packet_->dts);
}

void Decoder::count_damage(int64_t timestamp) {
  const double at = std::max(0.0, seconds_at(timestamp).value_or(last_good_));
  if (damages_ == 0) first_damage_ = last_damage_ = at;
  first_damage_ = std::min(first_damage_, at);
  last_damage_ = std::max(last_damage_, at);
  ++damages_;
}

std::string Decoder::damage() const {
  if (damages_ == 0) return {};
  const char* const packets = damages_ == 1 ? "packet" : "packets";
  std::array<char, 96> text;
  if (last_good_ <= last_damage_)
    std::snprintf(text.data(), text.size(), "damaged from second %.1f on (%lld %s)", first_damage_,
                  static_cast<long long>(damages_), packets);
  else
    std::snprintf(text.data(), text.size(), "damaged between seconds %.1f and %.1f (%lld %s)", first_damage_,
                  last_damage_, static_cast<long long>(damages_), packets);
  return text.data();
}

// Decoders do not detect encryption: they would return noise.
void Decoder::refuse_encrypted() const {
  if (av_packet_get_side_data(packet_.get(), AV_PKT_DATA_ENCRYPTION_INFO, nullptr) != nullptr)
    throw DataError(str(file_.path().string(), ": stream ", stream_index_, " is encrypted (DRM)"));
}

bool Decoder::may_drop() {
  if (!options_.is_needed) return false;
  const bool is_needed = options_.is_needed(*packet_);
  codec_->skip_frame = is_needed ? AVDISCARD_DEFAULT : AVDISCARD_NONREF;
  // Side data (a palette, changed parameters) also applies to the following pictures.
  return !is_needed && is_intra_only_ && packet_->side_data_elems == 0;
}

std::optional<double> Decoder::seconds(const AVFrame& frame) const { return seconds_at(frame.best_effort_timestamp); }

std::optional<double> Decoder::seconds_at(int64_t timestamp) const {
  if (timestamp == AV_NOPTS_VALUE) return std::nullopt;
  return static_cast<double>(timestamp) * av_q2d(stream().time_base) - file_.origin_seconds();
}

}  // namespace avs
