// Encodes sound with any of FFmpeg's encoders and muxers, for tests that need a file of some format.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numbers>
#include <string>

#include "tensor/error.h"
#include "vision/container.h"

namespace avs {

struct SoundFile {
  std::string muxer, encoder;
  double seconds = 6;
  int rate_hz = 44100;
  std::string layout = "mono";  // FFmpeg's name
  std::map<std::string, std::string> muxer_options = {};
};

inline void must(int code, const std::string& what) {
  if (code < 0) throw Error(str(what, ": ", ffmpeg_reason(code)));
}

class SoundWriter {
 public:
  SoundWriter(const std::filesystem::path& path, const SoundFile& spec) : spec_(spec) {
    AVFormatContext* format = nullptr;
    must(avformat_alloc_output_context2(&format, nullptr, spec.muxer.c_str(), path.c_str()), spec.muxer);
    format_.reset(format);
    must(avio_open(&format->pb, path.c_str(), AVIO_FLAG_WRITE), path.string());
    const AVCodec* encoder = avcodec_find_encoder_by_name(spec.encoder.c_str());
    if (encoder == nullptr) throw Error("no encoder " + spec.encoder);
    codec_.reset(avcodec_alloc_context3(encoder));
    codec_->sample_rate = spec.rate_hz;
    codec_->sample_fmt = encoder->sample_fmts[0];
    codec_->time_base = {1, spec.rate_hz};
    codec_->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    must(av_channel_layout_from_string(&codec_->ch_layout, spec.layout.c_str()), spec.layout);
    if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    must(avcodec_open2(codec_.get(), nullptr, nullptr), spec.encoder);
    stream_ = avformat_new_stream(format, nullptr);
    stream_->time_base = codec_->time_base;
    must(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "stream");
    AVDictionary* options = nullptr;
    for (const auto& [name, value] : spec.muxer_options) av_dict_set(&options, name.c_str(), value.c_str(), 0);
    const int code = avformat_write_header(format, &options);
    av_dict_free(&options);
    must(code, "header of " + spec.muxer);
  }
  ~SoundWriter() { avio_closep(&format_->pb); }

  void write() {
    const int frame_size = codec_->frame_size > 0 ? codec_->frame_size : 1024;
    const auto total = static_cast<int64_t>(spec_.seconds * spec_.rate_hz);
    for (int64_t at = 0; at < total; at += frame_size) {
      const FramePtr frame = make_frame();
      frame->nb_samples = static_cast<int>(std::min<int64_t>(frame_size, total - at));
      frame->format = codec_->sample_fmt;
      frame->sample_rate = spec_.rate_hz;
      frame->pts = at;
      must(av_channel_layout_copy(&frame->ch_layout, &codec_->ch_layout), "layout");
      must(av_frame_get_buffer(frame.get(), 0), "frame");
      paint(*frame, at);
      encode(frame.get());
    }
    encode(nullptr);
    must(av_write_trailer(format_.get()), "trailer");
  }

 private:
  // Channel c gets a tone of 300 (c + 1) Hz.
  void paint(AVFrame& frame, int64_t at) const {
    const bool planar = av_sample_fmt_is_planar(codec_->sample_fmt) != 0;
    const int channels = frame.ch_layout.nb_channels;
    for (int c = 0; c < channels; ++c)
      for (int i = 0; i < frame.nb_samples; ++i) {
        const double t = static_cast<double>(at + i) / spec_.rate_hz;
        const double value = 0.25 * std::sin(2 * std::numbers::pi * 300 * (c + 1) * t);
        uint8_t* const plane = frame.extended_data[planar ? c : 0];
        const int place = planar ? i : i * channels + c;
        switch (av_get_packed_sample_fmt(codec_->sample_fmt)) {
          case AV_SAMPLE_FMT_S16:
            reinterpret_cast<int16_t*>(plane)[place] = static_cast<int16_t>(std::lround(value * 32767));
            break;
          case AV_SAMPLE_FMT_S32:
            reinterpret_cast<int32_t*>(plane)[place] = static_cast<int32_t>(std::lround(value * 2147483647));
            break;
          case AV_SAMPLE_FMT_FLT: reinterpret_cast<float*>(plane)[place] = static_cast<float>(value); break;
          case AV_SAMPLE_FMT_DBL: reinterpret_cast<double*>(plane)[place] = value; break;
          default: plane[place] = static_cast<uint8_t>(std::lround(128 + value * 127));
        }
      }
  }

  void encode(const AVFrame* frame) {
    must(avcodec_send_frame(codec_.get(), frame), "encode");
    const PacketPtr packet = make_packet();
    while (avcodec_receive_packet(codec_.get(), packet.get()) == 0) {
      av_packet_rescale_ts(packet.get(), codec_->time_base, stream_->time_base);
      packet->stream_index = 0;
      must(av_interleaved_write_frame(format_.get(), packet.get()), "write");
    }
  }

  SoundFile spec_;
  FormatPtr format_;
  CodecPtr codec_;
  AVStream* stream_ = nullptr;
};

inline void encode_sound(const std::filesystem::path& path, const SoundFile& spec) { SoundWriter(path, spec).write(); }

inline bool has_encoder(const std::string& name) { return avcodec_find_encoder_by_name(name.c_str()) != nullptr; }

}  // namespace avs
