// The pictures of a clip at regular times. Frame k is what is on screen at second (k + 1/2) / frames_per_second of the
// file's presentation, so a 10-s clip at 2 frames a second gives 20 pictures, each from the middle of its half second
// (docs/paper.md#image-branch: the rate is the paper's, the phase ours). Time counts from the file's start, which sound
// shares; before the first picture the first one counts as shown, after the last picture's end there are no more frames,
// and a clip shorter than half an interval still gives one. Variable frame rates need no special case.
//
// Pictures nobody asked for are never scaled. Rotation metadata is applied in multiples of 90 degrees;
// colours, pixel shapes and alpha: see vision/scale.h.
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
  // Who decodes; not an option of the pictures: every decoder of a codec is to give the same ones. Null: the CPU.
  std::shared_ptr<const VideoHardware> hardware = nullptr;
};

struct Frames {
  Tensor pixels;                // u8 [frames, size, size, 3], RGB
  std::vector<double> seconds;  // when each is on screen: (k + 1/2) / frames_per_second
  std::string note = {};        // worth telling a person: "its pictures are damaged from second 2.9 on (203 packets)"
};

int64_t max_frame_count(const FrameOptions& options);  // of a clip of max_seconds or longer

// nullopt: the file has sound but no picture. A still (JPEG, PNG, BMP) is one frame.
// DataError: unreadable, or no picture decodes; Truncated when the file was cut before its last wanted picture. A file
// that is whole but whose header promises more keeps its pictures, with a note.
// UsageError: an option out of range. std::system_error: the machine cannot read the file.
std::optional<Frames> sample_frames(const std::filesystem::path& path, const FrameOptions& options = {});

}  // namespace avs
