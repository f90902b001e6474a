// Samples a clip's pictures at regular times. Frame k is on screen at second (k + 1/2) / frames_per_second, so a 10-s
// clip at 2 frames per second gives 20 pictures, each from the middle of its half second (docs/paper.md#image-branch:
// the rate is the paper's, the phase ours). Time starts at the file's start, for sound and pictures alike. Before the
// first picture the first one counts as shown; after the last picture's end there are no frames; a clip shorter than
// half an interval gives one.
//
// Pictures that are not sampled are not scaled. Rotation metadata is applied in multiples of 90 degrees. Colours, pixel
// shapes and alpha: see vision/scale.h.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "vision/video_hardware.h"

namespace avs {

struct FrameOptions {
  double frames_per_second = 2;
  double max_seconds = 10;   // later pictures are not read
  int64_t image_size = 224;  // pixels on each side
  // The decoder; the pictures do not depend on it. Null: the CPU.
  std::shared_ptr<const VideoHardware> hardware = nullptr;
};

struct Frames {
  Tensor pixels;                // u8 [frames, size, size, 3], RGB
  std::vector<double> seconds;  // presentation times: (k + 1/2) / frames_per_second
  std::string note = {};        // a message for the user: "its pictures are damaged from second 2.9 on (203 packets)"
};

int64_t max_frame_count(const FrameOptions& options);  // for a clip of max_seconds or longer

// nullopt: the file has sound but no picture. A still (JPEG, PNG, BMP) gives one frame. A complete file that is shorter
// than its header says keeps its pictures and gets a note. DataError: unreadable, or no picture decodes. Truncated: the
// file was cut before the last sampled picture. UsageError: an option out of range. SystemError: an I/O error.
std::optional<Frames> sample_frames(const std::filesystem::path& path, const FrameOptions& options = {});

}  // namespace avs
