// Writes a Matroska file with 16-bit sound whose packets have chosen timestamps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "tensor/error.h"
#include "vision/container.h"

namespace avs {

struct TimedSound {
  double start_seconds;
  std::vector<int16_t> samples;  // mono
};

inline void write_matroska(const std::filesystem::path& path, int rate_hz, std::span<const TimedSound> pieces) {
  AVFormatContext* format = nullptr;
  if (avformat_alloc_output_context2(&format, nullptr, "matroska", path.c_str()) < 0) throw Error("no Matroska writer");
  AVStream* stream = avformat_new_stream(format, nullptr);
  stream->codecpar->codec_type = AVMEDIA_TYPE_AUDIO;
  stream->codecpar->codec_id = AV_CODEC_ID_PCM_S16LE;
  stream->codecpar->format = AV_SAMPLE_FMT_S16;
  stream->codecpar->sample_rate = rate_hz;
  stream->codecpar->bits_per_coded_sample = 16;
  av_channel_layout_default(&stream->codecpar->ch_layout, 1);
  stream->time_base = {1, rate_hz};
  if (avio_open(&format->pb, path.c_str(), AVIO_FLAG_WRITE) < 0 || avformat_write_header(format, nullptr) < 0)
    throw Error("cannot write " + path.string());
  const PacketPtr packet = make_packet();
  for (const TimedSound& piece : pieces)
    for (size_t at = 0; at < piece.samples.size(); at += 1000) {
      const size_t count = std::min<size_t>(1000, piece.samples.size() - at);
      av_new_packet(packet.get(), static_cast<int>(count * sizeof(int16_t)));
      std::copy_n(reinterpret_cast<const uint8_t*>(piece.samples.data() + at), count * sizeof(int16_t), packet->data);
      packet->pts = packet->dts =
          av_rescale_q(static_cast<int64_t>(piece.start_seconds * rate_hz) + static_cast<int64_t>(at), {1, rate_hz},
                       stream->time_base);
      packet->duration = av_rescale_q(static_cast<int64_t>(count), {1, rate_hz}, stream->time_base);
      packet->stream_index = 0;
      av_write_frame(format, packet.get());
      av_packet_unref(packet.get());
    }
  av_write_trailer(format);
  avio_closep(&format->pb);
  avformat_free_context(format);
}

}  // namespace avs
