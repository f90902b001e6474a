// Which pictures of a video stream will be asked for, found by reading its packets without decoding them.
//
// Most pictures of a clip are never looked at (23 of 24 at 2 of 48 a second), and those no other picture depends on
// need not be decoded at all. A first pass over the packets costs a few hundredths of a decode and also tells, from all
// streams together, whether the file was cut.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "vision/container.h"

namespace avs {

struct PicturePlan {
  // False where packets carry no usable presentation times (raw streams, old AVI) or are not pictures (H.264 in
  // fields): then every picture is decoded.
  bool is_known = false;
  std::set<int64_t> wanted;    // presentation timestamps in the stream's time base
  double end_seconds = 0;      // when the last picture leaves the screen
  double picture_seconds = 0;  // how long a picture in two fields is shown, each a packet; 0: there is none
  MediaFile::Ending ending;    // where more is wanted than all streams hold

  bool needs(const AVPacket& packet) const {
    return !is_known || packet.pts == AV_NOPTS_VALUE || wanted.contains(packet.pts);
  }
};

// times: ascending seconds of the file's presentation. Opens the file a second time.
PicturePlan plan_pictures(const std::filesystem::path& path, int stream_index, const std::vector<double>& times);

}  // namespace avs
