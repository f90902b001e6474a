// Writes H.264 in fields, which no available encoder does: each field is its own packet of one raw grey macroblock (16
// x 16). Only the first picture is a reference, as in some cameras' streams.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/vision/make_video.h"
#include "vision/container.h"

namespace avs::test {

class BitWriter {
 public:
  BitWriter& bits(uint32_t value, int count) {
    for (int i = count - 1; i >= 0; --i) {
      if (free_ == 0) bytes_.push_back(0), free_ = 8;
      bytes_.back() = static_cast<char>(bytes_.back() | ((value >> i & 1) << --free_));
    }
    return *this;
  }
  BitWriter& golomb(uint32_t value) {  // ue(v)
    int length = 0;
    while ((value + 1) >> (length + 1) != 0) ++length;
    return bits(0, length).bits(value + 1, length + 1);
  }
  BitWriter& align(uint32_t fill) {
    while (free_ != 0) bits(fill, 1);
    return *this;
  }
  std::string nal(int header) {  // start code, header, payload with emulation prevention
    bits(1, 1).align(0);
    std::string unit("\0\0\0\1", 4);
    unit += static_cast<char>(header);
    int zeros = 0;
    for (const char byte : bytes_) {
      if (zeros == 2 && static_cast<uint8_t>(byte) <= 3) unit += '\3', zeros = 0;
      unit += byte;
      zeros = byte == 0 ? zeros + 1 : 0;
    }
    return unit;
  }

 private:
  std::string bytes_;
  int free_ = 0;
};

// ITU-T H.264, 7.3.2.1: baseline-like main profile, 16 x 32 pixels, fields, no bitstream restrictions.
inline std::string sequence_parameters() {
  BitWriter b;
  b.bits(77, 8).bits(0, 8).bits(30, 8).golomb(0);  // main profile, level 3, id 0
  b.golomb(0).golomb(0).golomb(12);                // frame_num: 4 bits; order count type 0: 16 bits
  b.golomb(1).bits(0, 1).golomb(0).golomb(0);      // one reference; 1 macroblock wide, 1 map unit (2 rows) high
  b.bits(0, 1).bits(0, 1).bits(1, 1).bits(0, 1);   // fields allowed, no mbaff, direct 8x8, no cropping
  return b.bits(0, 1).nal(0x67);                   // no usability information
}

inline std::string picture_parameters() {
  BitWriter b;
  b.golomb(0).golomb(0).bits(0, 1).bits(0, 1).golomb(0).golomb(0).golomb(0);
  b.bits(0, 1).bits(0, 2).golomb(0).golomb(0).golomb(0);  // no weights; quantisers 26
  return b.bits(0, 1).bits(0, 1).bits(0, 1).nal(0x68);
}

// One field: a slice of one macroblock, I_PCM.
inline std::string field(int64_t picture, bool is_bottom, int level) {
  const bool is_first = picture == 0, is_idr = is_first && !is_bottom;
  BitWriter b;
  b.golomb(0).golomb(7).golomb(0);                                    // first macroblock 0, I slice
  b.bits(is_first ? 0 : 1, 4).bits(1, 1).bits(is_bottom ? 1 : 0, 1);  // frame_num, field, parity
  if (is_idr) b.golomb(0);
  b.bits(static_cast<uint32_t>(2 * picture + (is_bottom ? 1 : 0)), 16);  // order count
  if (is_idr) b.bits(0, 2);
  if (is_first && !is_idr) b.bits(0, 1);  // marking: sliding window
  b.golomb(0).golomb(25).align(0);        // quantiser delta 0; I_PCM
  for (int i = 0; i < 256; ++i) b.bits(static_cast<uint32_t>(level), 8);
  for (int i = 0; i < 128; ++i) b.bits(128, 8);
  return b.nal(is_idr ? 0x65 : is_first ? 0x61 : 0x01);
}

// Picture k is grey of level 20 + 10 (k mod 20); 10 pictures per second.
inline std::vector<std::string> field_packets(int64_t pictures) {
  std::vector<std::string> packets;
  for (int64_t k = 0; k < pictures; ++k)
    for (const bool is_bottom : {false, true}) {
      const bool is_first = packets.empty();
      packets.push_back((is_first ? sequence_parameters() + picture_parameters() : "") +
                        field(k, is_bottom, static_cast<int>(20 + 10 * (k % 20))));
    }
  return packets;
}

inline void write_fields(const std::filesystem::path& path, const std::string& muxer, int64_t pictures) {
  AVFormatContext* made = nullptr;
  require(avformat_alloc_output_context2(&made, nullptr, muxer.c_str(), path.c_str()), muxer.c_str());
  const FormatPtr format(made);
  require(avio_open(&format->pb, path.c_str(), AVIO_FLAG_WRITE), path.c_str());
  AVStream* const stream = avformat_new_stream(format.get(), nullptr);
  stream->codecpar->codec_type = AVMEDIA_TYPE_VIDEO;
  stream->codecpar->codec_id = AV_CODEC_ID_H264;
  stream->codecpar->width = 16;
  stream->codecpar->height = 32;
  stream->avg_frame_rate = {10, 1};
  stream->time_base = {1, 20};
  const std::string head = sequence_parameters() + picture_parameters();
  stream->codecpar->extradata = static_cast<uint8_t*>(av_mallocz(head.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  std::copy(head.begin(), head.end(), stream->codecpar->extradata);
  stream->codecpar->extradata_size = static_cast<int>(head.size());
  require(avformat_write_header(format.get(), nullptr), "header");
  const PacketPtr packet = make_packet();
  int64_t at = 0;
  for (const std::string& field : field_packets(pictures)) {
    require(av_new_packet(packet.get(), static_cast<int>(field.size())), "packet");
    std::copy(field.begin(), field.end(), packet->data);
    packet->pts = packet->dts = av_rescale_q(at++, {1, 20}, stream->time_base);
    packet->duration = av_rescale_q(1, {1, 20}, stream->time_base);
    packet->flags = AV_PKT_FLAG_KEY;
    require(av_interleaved_write_frame(format.get(), packet.get()), "write");
  }
  require(av_write_trailer(format.get()), "trailer");
  avio_closep(&format->pb);
}

}  // namespace avs::test
