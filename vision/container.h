// RAII owners of FFmpeg's containers and decoders (libavformat, libavcodec 5.1).
//
// A MediaFile reads packets from a container; a Decoder turns the packets of one stream into frames. A MediaFile feeds
// one Decoder and discards all other streams: to decode sound and pictures, open the file twice (demuxing is cheap).
// FFmpeg's log is silenced; its last error line becomes part of our one-line DataError: file, reason. I/O errors are
// SystemError.
//
// FFmpeg reads only this file: formats that name other files or fetch (hls, dash, concat, sdp, svg, ...) are refused,
// and no demuxer may open a second file.
//
//   MediaFile file("park.mp4");
//   if (const auto index = file.video_stream()) {
//     Decoder decoder(file, *index);
//     while (AVFrame* frame = decoder.next_frame()) use(*frame, decoder.seconds(*frame));
//   }
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
}

#include "vision/file_end.h"
#include "vision/source_file.h"

namespace avs {

class VideoHardware;

struct FfmpegDeleter {
  void operator()(AVFrame* frame) const;
  void operator()(AVPacket* packet) const;
  void operator()(AVCodecContext* codec) const;
  void operator()(AVFormatContext* format) const;
  void operator()(AVIOContext* io) const;
};
using FramePtr = std::unique_ptr<AVFrame, FfmpegDeleter>;
using PacketPtr = std::unique_ptr<AVPacket, FfmpegDeleter>;
using CodecPtr = std::unique_ptr<AVCodecContext, FfmpegDeleter>;
using FormatPtr = std::unique_ptr<AVFormatContext, FfmpegDeleter>;
using IoPtr = std::unique_ptr<AVIOContext, FfmpegDeleter>;

FramePtr make_frame();
PacketPtr make_packet();

// "Invalid data found when processing input (moov atom not found)": the code's meaning and, in parentheses, FFmpeg's
// last error line of this thread, which is cleared.
std::string ffmpeg_reason(int error_code);

// Versions of the media libraries: "libavformat 59.27.100, libavcodec 59.37.100, libswscale 6.7.100".
std::string media_versions();

void silence_ffmpeg();  // MediaFile calls it; media writers must call it themselves

// Makes the timestamps of one stream continuous across jumps: recordings joined byte by byte, a clock that restarts.
class StreamClock {
 public:
  // forward_limit: the largest step forward, in seconds, between two packets.
  void run_on(AVPacket& packet, AVRational time_base, double forward_limit);

 private:
  int64_t offset_ = 0, last_ = AV_NOPTS_VALUE, step_ = 0;  // last decoding time returned, last step forward
};

class MediaFile {
 public:
  // DataError: no such file, not a regular file, empty, not a media file, a format that names other files, or no sound
  // and no video stream. SystemError: an I/O error.
  explicit MediaFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return source_->path(); }
  SourceFile& source() const { return *source_; }
  std::optional<int> audio_stream() const { return audio_stream_; }  // FFmpeg's "best" one
  std::optional<int> video_stream() const { return video_stream_; }  // cover pictures of sound files do not count
  AVStream& stream(int index) const { return *format_->streams[index]; }
  AVFormatContext& native() const { return *format_; }

  // Returns the next packet, or FFmpeg's code below 0 at the end. SystemError: an I/O error.
  int read(AVPacket& packet);

  double origin_seconds() const;  // timestamp of second 0 of the presentation
  // A stream's duration from its own header, else the container's; nullopt if neither states one or FFmpeg guessed.
  std::optional<double> promised_seconds(int stream_index) const;

  // Judges a stream that ends at `end_seconds`, before `wanted_seconds`. It was cut if it ends long before its promised
  // duration, unless the file's structure is complete: then the header is wrong.
  struct Ending {
    bool is_cut = false;
    std::string note;  // "the header promises 14.0 s, ..." for a file that was not cut
  };
  Ending judge_end(int stream_index, double end_seconds, double wanted_seconds) const;

 private:
  std::unique_ptr<SourceFile> source_;
  IoPtr io_;
  FormatPtr format_;
  std::vector<StreamClock> clocks_;
  std::vector<double> own_seconds_;  // each stream's duration in its own header; 0: not stated
  std::optional<int> audio_stream_, video_stream_;
};

struct DecoderOptions {
  int threads = 1;  // threads of this decoder; clips are decoded in parallel, with one thread each
  std::shared_ptr<const VideoHardware> hardware;  // video only: decodes the codecs it supports; null: the CPU decodes
  // Video only: is this packet's picture needed? A picture that is not needed and that no other picture refers to is
  // not decoded and not returned. Empty: all are needed.
  std::function<bool(const AVPacket&)> is_needed;
};

class Decoder {
 public:
  // DataError: no decoder for the codec, or invalid stream parameters. The file must outlive the decoder.
  Decoder(MediaFile& file, int stream_index, DecoderOptions options = {});

  // The next frame in presentation order, valid until the next call; null at the end, after buffered frames. Packets
  // that do not decode are counted and skipped. DataError: the stream is encrypted.
  AVFrame* next_frame();

  int64_t frames() const { return frames_; }                    // number returned
  int64_t corrupt_packets() const { return corrupt_packets_; }  // number skipped
  bool truncated() const { return truncated_; }                 // reading ended with an error, not at the file's end
  const std::string& last_reason() const { return reason_; }    // reason of the last skipped packet or of the end
  // "damaged from second 2.9 on (203 packets)", "damaged between seconds 1.0 and 1.4 (3 packets)"; empty: no damage.
  std::string damage() const;

  double end_seconds() const { return end_seconds_; }  // the last packet's end, decoded or not

  // Presentation time relative to the file's origin; nullopt if the container gives none.
  std::optional<double> seconds(const AVFrame& frame) const;
  AVCodecContext& native() const { return *codec_; }
  AVStream& stream() const { return file_.stream(stream_index_); }

 private:
  bool send_next_packet();  // false: the end was sent
  void refuse_encrypted() const;
  bool may_drop();    // for the packet just read; if false, tells the codec whether its picture is needed
  bool bring_down();  // copies a picture from the hardware to the CPU; false: it cannot be read
  void count_damage(int64_t timestamp);
  void count_corrupt(int code);  // for the packet just sent
  std::optional<double> seconds_at(int64_t timestamp) const;

  MediaFile& file_;
  int stream_index_;
  DecoderOptions options_;
  bool is_intra_only_ = false;  // no picture refers to another one
  CodecPtr codec_;
  AVPixelFormat in_hardware_ = AV_PIX_FMT_NONE;
  FramePtr frame_;
  PacketPtr packet_;
  int64_t frames_ = 0, corrupt_packets_ = 0, damages_ = 0;
  double first_damage_ = 0, last_damage_ = 0, last_good_ = 0, end_seconds_ = 0;  // seconds
  bool truncated_ = false, flushing_ = false;
  std::string reason_;
};

}  // namespace avs
