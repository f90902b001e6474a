// Opened media files and their decoders: a thin owner around FFmpeg (libavformat, libavcodec 5.1).
//
// A MediaFile is a container somebody can read packets from; a Decoder turns the packets of one of its streams into
// frames. One MediaFile feeds one Decoder, which discards every other stream unread: whoever wants sound and picture
// opens the file twice, because demuxing costs next to nothing beside decoding. FFmpeg's own log is silenced; its last
// error line is part of our DataError, which is always one line: file, reason. An error of the machine while reading is
// a std::system_error instead.
//
// FFmpeg reads this one file and nothing else: formats that name other files or fetch (hls, dash, concat, sdp, svg,
// ...) are refused, and no demuxer may open a second file.
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

// "Invalid data found when processing input (moov atom not found)": the code's meaning and, in parentheses, what FFmpeg
// last logged as an error on this thread, which is then forgotten.
std::string ffmpeg_reason(int error_code);

// "libavformat 59.27.100, libavcodec 59.37.100, libswscale 6.7.100": what decodes media files.
std::string media_versions();

void silence_ffmpeg();  // every MediaFile does it; writers, which open none, ask for it

// Timestamps of one stream, made to run on where they jump: recordings joined byte by byte, a clock that restarts.
class StreamClock {
 public:
  // forward_limit: seconds by which time may advance from one packet to the next.
  void run_on(AVPacket& packet, AVRational time_base, double forward_limit);

 private:
  int64_t offset_ = 0, last_ = AV_NOPTS_VALUE, step_ = 0;  // decoding times as given out; the last step forward
};

class MediaFile {
 public:
  // DataError: no such file, not a regular file, empty, no media in it, a format that names other files, or neither a
  // sound nor a video stream. std::system_error: the machine refuses to open or to read it.
  explicit MediaFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return source_->path(); }
  SourceFile& source() const { return *source_; }
  std::optional<int> audio_stream() const { return audio_stream_; }  // FFmpeg's "best" one
  std::optional<int> video_stream() const { return video_stream_; }  // cover pictures of sound files do not count
  AVStream& stream(int index) const { return *format_->streams[index]; }
  AVFormatContext& native() const { return *format_; }

  // The next packet; FFmpeg's code below 0 where reading ends. std::system_error: the machine cannot read on.
  int read(AVPacket& packet);

  double origin_seconds() const;  // the timestamp that is second 0 of this file's presentation
  // How long a stream is by its own header, else by the container's; absent where neither says or FFmpeg only guessed.
  std::optional<double> promised_seconds(int stream_index) const;

  // The verdict on a stream that ends at `end_seconds` although more of it, up to `wanted_seconds`, was asked for. What
  // ends long before its promise was cut, unless the file's structure is whole: then the header is wrong.
  struct Ending {
    bool is_cut = false;
    std::string note;  // "the header promises 14.0 s of ...": it was not cut all the same
  };
  Ending judge_end(int stream_index, double end_seconds, double wanted_seconds) const;

 private:
  std::unique_ptr<SourceFile> source_;
  IoPtr io_;
  FormatPtr format_;
  std::vector<StreamClock> clocks_;
  std::vector<double> own_seconds_;  // of each stream, by its own header; 0: not said
  std::optional<int> audio_stream_, video_stream_;
};

struct DecoderOptions {
  int threads = 1;  // of this decoder alone; clips are decoded in parallel, one thread each
  std::shared_ptr<const VideoHardware> hardware;  // video: decodes what it can, the CPU the rest; null: the CPU all
  // Video: will anybody look at this packet's picture? A picture that is neither needed nor referred to by another one
  // is not decoded and does not come out. Empty: all are needed.
  std::function<bool(const AVPacket&)> is_needed;
};

class Decoder {
 public:
  // DataError: no decoder for this codec, or it refuses the stream's parameters. The file must outlive the decoder.
  Decoder(MediaFile& file, int stream_index, DecoderOptions options = {});

  // The next frame in presentation order, valid until the next call; null at the end (buffered frames come out first).
  // Packets that do not decode are counted and skipped: a scratch in a file costs a few frames, not the file.
  // DataError: the stream is encrypted.
  AVFrame* next_frame();

  int64_t frames() const { return frames_; }                    // delivered so far
  int64_t corrupt_packets() const { return corrupt_packets_; }  // skipped so far
  bool truncated() const { return truncated_; }                 // reading ended in an error instead of the file's end
  const std::string& last_reason() const { return reason_; }    // why the last packet was skipped or reading ended
  // "damaged from second 2.9 on (203 packets)", "damaged between seconds 1.0 and 1.4 (3 packets)"; empty: all decoded.
  std::string damage() const;

  double end_seconds() const { return end_seconds_; }  // of the last packet read, decoded or not

  // Presentation time relative to the file's origin; absent where the container gives none.
  std::optional<double> seconds(const AVFrame& frame) const;
  AVCodecContext& native() const { return *codec_; }
  AVStream& stream() const { return file_.stream(stream_index_); }

 private:
  bool send_next_packet();  // false: the end was sent
  void refuse_encrypted() const;
  bool may_drop();    // the packet just read; otherwise tells the codec whether its picture is needed
  bool bring_down();  // a picture that lies in the hardware; false: it cannot be read
  void count_damage(int64_t timestamp);
  void count_corrupt(int code);  // the packet just sent
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
