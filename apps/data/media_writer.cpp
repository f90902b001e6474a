#include "apps/data/media_writer.h"

#include <cmath>
#include <cstring>

#include "models/file.h"
#include "tensor/no_copy.h"
#include "tensor/require.h"
#include "vision/container.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

namespace avs::data {
namespace {

// One output file: the muxer, and an encoder per stream. It is assembled in memory, since clips are small, and written
// atomically. Errors name the file.
class Mp4 : NoCopy {
 public:
  explicit Mp4(const std::filesystem::path& path) : path_(path) {
    silence_ffmpeg();
    AVFormatContext* format = nullptr;
    check(avformat_alloc_output_context2(&format, nullptr, "mp4", path.c_str()));
    format_ = format;
    format_->flags |= AVFMT_FLAG_BITEXACT;
    check(avio_open_dyn_buf(&format_->pb));
  }
  ~Mp4() {
    uint8_t* bytes = nullptr;
    if (format_->pb != nullptr) avio_close_dyn_buf(format_->pb, &bytes);
    av_free(bytes);
    avformat_free_context(format_);
  }

  struct Output {
    CodecPtr codec;
    AVStream* stream = nullptr;
  };

  void open(Output& output) {
    if ((format_->oformat->flags & AVFMT_GLOBALHEADER) != 0) output.codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    output.codec->flags |= AV_CODEC_FLAG_BITEXACT;
    output.codec->thread_count = 1;
    check(avcodec_open2(output.codec.get(), nullptr, nullptr));
    output.stream = avformat_new_stream(format_, nullptr);
    output.stream->time_base = output.codec->time_base;
    check(avcodec_parameters_from_context(output.stream->codecpar, output.codec.get()));
  }

  void begin() { check(avformat_write_header(format_, nullptr)); }

  void encode(Output& output, const AVFrame* frame) {  // null: end of stream
    check(avcodec_send_frame(output.codec.get(), frame));
    const PacketPtr packet = make_packet();
    for (;;) {
      const int code = avcodec_receive_packet(output.codec.get(), packet.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      check(code);
      av_packet_rescale_ts(packet.get(), output.codec->time_base, output.stream->time_base);
      packet->stream_index = output.stream->index;
      check(av_interleaved_write_frame(format_, packet.get()));
    }
  }

  void end() {
    check(av_write_trailer(format_));
    uint8_t* bytes = nullptr;
    const int count = avio_get_dyn_buf(format_->pb, &bytes);
    check(format_->pb->error);
    write_text(path_, {reinterpret_cast<const char*>(bytes), static_cast<size_t>(count)});
  }

  void check(int code) const {
    if (code < 0) throw DataError(str(path_.string(), ": cannot be written: ", ffmpeg_reason(code)));
  }

 private:
  std::filesystem::path path_;
  AVFormatContext* format_ = nullptr;
};

CodecPtr make_codec(const AVCodec* codec, const char* name) {
  if (codec == nullptr) throw DataError(str("this FFmpeg has no ", name, " encoder"));
  return CodecPtr(avcodec_alloc_context3(codec));
}

Mp4::Output open_video(Mp4& file, const MediaContents& contents) {
  const AVCodec* encoder = avcodec_find_encoder_by_name("libx264");
  if (encoder == nullptr) encoder = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
  Mp4::Output output{make_codec(encoder, "H.264 or MPEG-4")};
  AVCodecContext& codec = *output.codec;
  codec.width = static_cast<int>(contents.frames.shape()[2]);
  codec.height = static_cast<int>(contents.frames.shape()[1]);
  codec.pix_fmt = AV_PIX_FMT_YUV420P;
  codec.framerate = av_d2q(contents.frames_per_second, 1000);
  codec.time_base = av_inv_q(codec.framerate);
  codec.gop_size = 24;
  codec.bit_rate = encoder->id == AV_CODEC_ID_MPEG4 ? 400'000 : 0;
  codec.color_range = AVCOL_RANGE_MPEG;
  codec.colorspace = AVCOL_SPC_SMPTE170M;
  av_opt_set(codec.priv_data, "preset", "ultrafast", 0);  // options of x264; MPEG-4 ignores them
  av_opt_set(codec.priv_data, "crf", "25", 0);
  file.open(output);
  return output;
}

Mp4::Output open_audio(Mp4& file, const MediaContents& contents) {
  Mp4::Output output{make_codec(avcodec_find_encoder(AV_CODEC_ID_AAC), "AAC")};
  AVCodecContext& codec = *output.codec;
  codec.sample_fmt = AV_SAMPLE_FMT_FLTP;
  codec.sample_rate = static_cast<int>(contents.sample_rate_hz);
  codec.time_base = {1, codec.sample_rate};
  codec.bit_rate = 96'000;
  av_channel_layout_default(&codec.ch_layout, 2);
  file.open(output);
  return output;
}

class ToYuv : NoCopy {
 public:
  ToYuv(int width, int height)
      : context_(sws_getContext(width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P,
                                SWS_BILINEAR | SWS_ACCURATE_RND | SWS_BITEXACT, nullptr, nullptr, nullptr)),
        picture_(static_cast<size_t>(3) * width * height + kPadding) {}
  ~ToYuv() { sws_freeContext(context_); }
  void operator()(const uint8_t* rgb, AVFrame& frame) {
    std::memcpy(picture_.data(), rgb, picture_.size() - kPadding);
    const uint8_t* const from = picture_.data();
    const int row_bytes = 3 * frame.width;
    sws_scale(context_, &from, &row_bytes, 0, frame.height, frame.data, frame.linesize);
  }

 private:
  static constexpr size_t kPadding = 64;  // libswscale reads some bytes after the last pixel
  SwsContext* context_;
  std::vector<uint8_t> picture_;
};

void write_video(Mp4& file, Mp4::Output& output, const Tensor& frames) {
  const FramePtr frame = make_frame();
  ToYuv to_yuv(output.codec->width, output.codec->height);
  for (int64_t k = 0; k < frames.shape()[0]; ++k) {
    av_frame_unref(frame.get());
    frame->format = output.codec->pix_fmt;
    frame->width = output.codec->width;
    frame->height = output.codec->height;
    file.check(av_frame_get_buffer(frame.get(), 0));
    to_yuv(frames.rows(k, 1).data<uint8_t>(), *frame);
    frame->pts = k;
    file.encode(output, frame.get());
  }
  file.encode(output, nullptr);
}

void write_audio(Mp4& file, Mp4::Output& output, const std::vector<float>& samples) {
  const auto total = static_cast<int64_t>(samples.size() / 2);
  const FramePtr frame = make_frame();
  for (int64_t first = 0; first < total; first += output.codec->frame_size) {
    const int64_t count = std::min<int64_t>(output.codec->frame_size, total - first);
    av_frame_unref(frame.get());
    frame->format = output.codec->sample_fmt;
    frame->sample_rate = output.codec->sample_rate;
    frame->nb_samples = static_cast<int>(count);
    file.check(av_channel_layout_copy(&frame->ch_layout, &output.codec->ch_layout));
    file.check(av_frame_get_buffer(frame.get(), 0));
    for (int channel = 0; channel < 2; ++channel) {
      auto* plane = reinterpret_cast<float*>(frame->data[channel]);
      for (int64_t i = 0; i < count; ++i) plane[i] = samples[static_cast<size_t>(2 * (first + i) + channel)];
    }
    frame->pts = first;
    file.encode(output, frame.get());
  }
  file.encode(output, nullptr);
}

void check_contents(const MediaContents& contents) {
  const Tensor& frames = contents.frames;
  require<UsageError>(frames.defined() || !contents.samples.empty(), "write_mp4: neither pictures nor sound given");
  require<UsageError>(contents.samples.size() % 2 == 0, "write_mp4: ", contents.samples.size(),
                      " samples are no pairs");
  if (!frames.defined()) return;
  const Shape& shape = frames.shape();
  require<UsageError>(shape.rank() == 4 && shape[0] > 0 && shape[3] == 3 && shape[1] % 2 == 0 && shape[2] % 2 == 0,
                      "write_mp4: frames must be [frames, height, width, 3] of even height and width, got ", shape);
  require<UsageError>(contents.frames_per_second > 0, "write_mp4: ", contents.frames_per_second, " frames per second");
}

}  // namespace

void write_mp4(const std::filesystem::path& path, const MediaContents& contents) {
  check_contents(contents);
  Mp4 file(path);
  Mp4::Output video, audio;
  if (contents.frames.defined()) video = open_video(file, contents);
  if (!contents.samples.empty()) audio = open_audio(file, contents);
  file.begin();
  if (video.stream != nullptr) write_video(file, video, contents.frames);
  if (audio.stream != nullptr) write_audio(file, audio, contents.samples);
  file.end();
}

}  // namespace avs::data
