// Writing small video files with sound: the demo's data set and the tests' clips. H.264 (MPEG-4 part 2 where FFmpeg has
// no H.264 encoder), 4:2:0, and AAC in an mp4. The same input and libraries give the same bytes: one thread, no dates.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "tensor/tensor.h"

namespace avs::data {

struct MediaContents {
  Tensor frames;  // u8 [frames, height, width, 3] RGB, both extents even; undefined: no picture
  double frames_per_second = 12;
  std::vector<float> samples;      // two channels interleaved, within [-1, 1]; empty: no sound
  int64_t sample_rate_hz = 44100;  // one that AAC knows: 8000 … 48000
};

// Whole or not at all. UsageError: contents that fit no file. DataError: FFmpeg refuses. SystemError: models/file.h.
void write_mp4(const std::filesystem::path& path, const MediaContents& contents);

}  // namespace avs::data
