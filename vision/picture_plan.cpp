#include "vision/picture_plan.h"

#include <algorithm>
#include <optional>

namespace avs {
namespace {

// How much later than its last packet a container may claim to end: rounding, a last packet without a duration, sound
// padded to whole frames. What is missing beyond that was cut away.
constexpr double kSlackSeconds = 0.5;
constexpr double kSlackShare = 0.05;

// Codecs in which a packet is one picture.
bool tells_by_packet(AVCodecID codec) {
  const AVCodecDescriptor* description = avcodec_descriptor_get(codec);
  if (description != nullptr && (description->props & AV_CODEC_PROP_INTRA_ONLY) != 0) return true;
  switch (codec) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_VP8:
    case AV_CODEC_ID_VP9:
      return true;
    default:
      return false;
  }
}

struct Shown {  // one packet of the stream
  int64_t pts;
  double begin, end;  // seconds
};

// The container's own statement, not one FFmpeg guessed from a bit rate.
std::optional<double> promised_seconds(const MediaFile& file) {
  if (file.native().duration_estimation_method == AVFMT_DURATION_FROM_BITRATE) return std::nullopt;
  return file.duration_seconds();
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
  bool is_complete = false;  // every picture up to last_time was seen
  const PacketPtr packet = make_packet();
  for (; av_read_frame(&file.native(), packet.get()) >= 0; av_packet_unref(packet.get())) {
    const double unit = av_q2d(file.stream(packet->stream_index).time_base);
    const int64_t stamp = packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
    const double begin = stamp == AV_NOPTS_VALUE ? 0 : static_cast<double>(stamp) * unit - origin;
    const double duration = static_cast<double>(std::max<int64_t>(packet->duration, 0)) * unit;
    end_of_all = std::max(end_of_all, begin + duration);
    if (packet->stream_index != stream_index || (packet->flags & AV_PKT_FLAG_DISCARD) != 0) continue;
    if (packet->pts == AV_NOPTS_VALUE)
      all_known = false;
    else
      shown.push_back({packet->pts, begin, begin + (duration > 0 ? duration : frame_seconds)});
    // Decoding order leads: once it has passed the last time, no earlier picture can follow.
    is_complete = packet->dts != AV_NOPTS_VALUE && static_cast<double>(packet->dts) * unit - origin > last_time;
    if (is_complete) break;
  }
  const double promised = promised_seconds(file).value_or(0);
  plan.breaks_off = !is_complete && std::min(promised, last_time) > end_of_all + kSlackSeconds + kSlackShare * promised;
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
