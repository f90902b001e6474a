// From a media file to class probabilities, with the models of one fusion loaded once: the path that a trained system
// runs. Sound and picture are decoded as `prepare` does for the backbones' training, so that a clip of the data set
// gets the answer that evaluate counts.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/compute_options.h"
#include "apps/train/trained.h"
#include "models/data/clip_features.h"
#include "models/training/inference.h"

namespace avs {

struct ClassAnswer {
  double first_second = 0, last_second = 0;  // the part of the file it is about
  std::vector<float> probabilities;          // one per class
};

struct ClassAnswers {  // about one file
  std::vector<ClassAnswer> answers = {};
  std::vector<std::string> left_out = {};  // parts of the file: "the file after its first 10 seconds"; empty: nothing
  std::string note = {};  // the damage, or empty: "its sound is damaged from second 2.8 on (356 packets)"
};

struct MediaPlacement {  // the devices that make spectrograms and decode video (null: the CPU)
  Device features = kCpu;
  std::shared_ptr<const VideoHardware> video = nullptr;
};

class Classifier {
 public:
  explicit Classifier(const std::filesystem::path& fusion_run, Placement placement = {}, MediaPlacement media = {});

  const std::vector<std::string>& classes() const { return fusion_.classes; }

  // The file's first ten seconds as one clip. DataError, one line naming the file: unreadable, or without the sound or
  // the picture that some of the fusion's backbones need; these are named.
  ClassAnswers classify(const std::filesystem::path& file);

  // One answer for each `seconds` of the file; a last piece shorter than half of it belongs to the one before. A piece
  // is treated as a clip of its own: its sound is cut or repeated to ten seconds, its pictures are those on screen
  // within it.
  ClassAnswers classify_segments(const std::filesystem::path& file, double seconds);

  static constexpr double kMaxSeconds = 3600;       // a file in segments: an hour of pictures is about 1 GB
  static constexpr double kToleranceSeconds = 0.5;  // codecs pad a clip's end: what is shorter is not called left out

 private:
  bool reads(bool wants_sound) const;
  std::optional<Frames> frames_and_next(const std::filesystem::path& file) const;
  void check_has(const std::filesystem::path& file, bool has_sound, bool has_picture) const;
  // frames: u8 [frames, size, size, 3]; sound: ten seconds. Each is needed if a backbone reads it.
  std::vector<float> probabilities(const Tensor& frames, const std::optional<Waveform>& sound);
  Tensor embedding(size_t backbone, const Tensor& samples);

  TrainedFusionRun fusion_;
  std::vector<TrainedBackbone> backbones_;
  std::deque<Inference> inferences_;  // one per backbone
  FrameOptions frames_;
  std::optional<data::ClipDecoder> decoder_;  // only for a fusion that reads sound
};

}  // namespace avs
