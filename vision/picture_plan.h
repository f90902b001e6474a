// Finds the pictures of a video stream that will be sampled, from its packets, without decoding.
//
// Most pictures of a clip are not sampled (23 of 24 at 2 of 48 per second), and those that no other picture refers to
// need not be decoded. A pass over the packets takes a few hundredths of a decode; it also detects a cut file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "vision/container.h"

namespace avs {

struct PicturePlan {
  // False if packets have no usable presentation times (raw streams, old AVI) or are not whole pictures (H.264 fields):
  // then every picture is decoded.
  bool is_known = false;
  std::set<int64_t> wanted;    // presentation timestamps in the stream's time base
  double end_seconds = 0;      // end of the last picture's presentation
  double picture_seconds = 0;  // duration of a picture of two fields, each its own packet; 0: none
  MediaFile::Ending ending;    // set if the times reach beyond the end of all streams

  bool needs(const AVPacket& packet) const {
    return !is_known || packet.pts == AV_NOPTS_VALUE || wanted.contains(packet.pts);
  }
};

// times: seconds of the file's presentation, ascending. Opens the file a second time.
PicturePlan plan_pictures(const std::filesystem::path& path, int stream_index, const std::vector<double>& times);

}  // namespace avs
