// Which pictures of a video stream will be asked for, found by reading its packets without decoding them.
//
// Most pictures of a clip are never looked at (23 of 24 at 2 of 48 a second), and those no other picture depends on
// need not be decoded at all. A first pass over the packets costs a few hundredths of a decode and also tells, from all
// streams together, whether the file breaks off.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "audio/container.h"

namespace avs {

struct PicturePlan {
  // False where packets carry no usable presentation times (raw streams, old AVI): then every picture is decoded.
  bool is_known = false;
  std::set<int64_t> wanted;  // presentation timestamps in the stream's time base
  double end_seconds = 0;    // when the last picture leaves the screen
  bool breaks_off = false;   // the container promises more time than all its streams hold, and more is wanted

  bool needs(const AVPacket& packet) const {
    return !is_known || packet.pts == AV_NOPTS_VALUE || wanted.contains(packet.pts);
  }
};

// times: ascending seconds of the file's presentation. Opens the file a second time.
PicturePlan plan_pictures(const std::filesystem::path& path, int stream_index, const std::vector<double>& times);

}  // namespace avs
