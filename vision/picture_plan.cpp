#include "vision/picture_plan.h"

#include <algorithm>
#include <memory>
#include <new>

namespace avs {
namespace {

// Codecs with one picture per packet.
bool tells_by_packet(AVCodecID codec) {
  const AVCodecDescriptor* description = avcodec_descriptor_get(codec);
  if (description != nullptr && (description->props & AV_CODEC_PROP_INTRA_ONLY) != 0) return true;
  switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9: return true;
    default: return false;
  }
}

struct Shown {  // one packet of the stream
  int64_t pts;
  double begin, end;  // seconds
};

// Tells whether a packet is a picture or one of its two fields, which H.264 decides per picture.
class FieldFinder {
 public:
  explicit FieldFinder(const AVCodecParameters& stream) {
    if (stream.codec_id != AV_CODEC_ID_H264) return;
    parser_.reset(av_parser_init(stream.codec_id));
    codec_.reset(avcodec_alloc_context3(nullptr));
    if (!codec_ || (parser_ && avcodec_parameters_to_context(codec_.get(), &stream) < 0)) throw std::bad_alloc();
    if (parser_) parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  }
  bool operator()(const AVPacket& packet) {
    if (!parser_) return false;
    uint8_t* out = nullptr;
    int bytes = 0;
    av_parser_parse2(parser_.get(), codec_.get(), &out, &bytes, packet.data, packet.size, packet.pts, packet.dts, -1);
    return parser_->picture_structure == AV_PICTURE_STRUCTURE_TOP_FIELD ||
           parser_->picture_structure == AV_PICTURE_STRUCTURE_BOTTOM_FIELD;
  }

 private:
  struct Close {
    void operator()(AVCodecParserContext* parser) const { av_parser_close(parser); }
  };
  std::unique_ptr<AVCodecParserContext, Close> parser_;
  CodecPtr codec_;
};

// Is the packet's picture shown? An empty packet repeats the last picture; VP8 flags pictures that are only references.
bool is_shown(const AVPacket& packet, AVCodecID codec) {
  if ((packet.flags & AV_PKT_FLAG_DISCARD) != 0 || packet.size == 0) return false;
  return codec != AV_CODEC_ID_VP8 || (packet.data[0] & 0x10) != 0;
}

}  // namespace

PicturePlan plan_pictures(const std::filesystem::path& path, int stream_index, const std::vector<double>& times) {
  MediaFile file(path);
  const AVStream& stream = file.stream(stream_index);
  PicturePlan plan;
  bool all_known = tells_by_packet(stream.codecpar->codec_id);
  const double last_time = times.back(), origin = file.origin_seconds();
  const double frame_seconds = stream.avg_frame_rate.num > 0 ? av_q2d(av_inv_q(stream.avg_frame_rate)) : 0;
  std::vector<Shown> shown;
  double end_of_all = 0;
  bool is_complete = false;  // every picture up to last_time was read
  FieldFinder is_field(*stream.codecpar);
  bool has_fields = false;
  double pictures = 0, seconds = 0;
  const PacketPtr packet = make_packet();
  for (; file.read(*packet) >= 0; av_packet_unref(packet.get())) {
    const double unit = av_q2d(file.stream(packet->stream_index).time_base);
    const int64_t stamp = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    const double begin = stamp == AV_NOPTS_VALUE ? 0 : static_cast<double>(stamp) * unit - origin;
    const double duration = static_cast<double>(std::max<int64_t>(packet->duration, 0)) * unit;
    end_of_all = std::max(end_of_all, begin + duration);
    if (packet->stream_index != stream_index || !is_shown(*packet, stream.codecpar->codec_id)) continue;
    const bool half = is_field(*packet);
    pictures += half ? 0.5 : 1;
    seconds += duration;
    has_fields |= half;
    if (packet->pts == AV_NOPTS_VALUE || half)
      all_known = false;
    else
      shown.push_back({packet->pts, begin, begin + (duration > 0 ? duration : frame_seconds)});
    // Packets come in decoding order: once their dts passes last_time, no earlier picture can follow.
    is_complete = packet->dts != AV_NOPTS_VALUE && static_cast<double>(packet->dts) * unit - origin > last_time;
    if (is_complete) break;
  }
  if (!is_complete) plan.ending = file.judge_end(stream_index, end_of_all, last_time);
  if (has_fields) plan.picture_seconds = seconds / pictures;
  plan.is_known = all_known && !shown.empty();
  if (!plan.is_known) return plan;

  std::sort(shown.begin(), shown.end(), [](const Shown& a, const Shown& b) { return a.pts < b.pts; });
  plan.end_seconds = shown.back().end;
  for (const double time : times) {
    const auto after =
        std::upper_bound(shown.begin(), shown.end(), time, [](double t, const Shown& s) { return t < s.begin; });
    plan.wanted.insert(after == shown.begin() ? shown.front().pts : std::prev(after)->pts);
  }
  return plan;
}

}  // namespace avs
