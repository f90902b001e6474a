// Writes small mp4 files, for the demo's data set and for tests: H.264 (MPEG-4 part 2 if FFmpeg has no H.264 encoder),
// 4:2:0, and AAC. Equal input and libraries give equal bytes: one thread, no dates.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "tensor/tensor.h"

namespace avs::data {

struct MediaContents {
  Tensor frames;  // u8 [frames, height, width, 3] RGB, height and width even; undefined: no picture
  double frames_per_second = 12;
  std::vector<float> samples;      // two channels interleaved, within [-1, 1]; empty: no sound
  int64_t sample_rate_hz = 44100;  // a rate that AAC supports: 8000 … 48000
};

// Atomic. UsageError: invalid contents. DataError: FFmpeg refuses. SystemError: models/file.h.
void write_mp4(const std::filesystem::path& path, const MediaContents& contents);

}  // namespace avs::data
