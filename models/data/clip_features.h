// The features of one clip in the cache: its frames and its log spectrograms.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "audio/features.h"
#include "models/data/entry.h"
#include "vision/frames.h"

namespace avs::data {

std::string_view name_of(CqtRange range);             // "full", "author"
CqtRange cqt_range_from_name(std::string_view name);  // UsageError lists the names

struct SpectrogramOptions {
  std::vector<Modality> kinds = {Modality::Mel, Modality::Gammatone,
                                 Modality::Cqt};  // in this order, none twice; may be empty
  CqtRange cqt = CqtRange::FullBand;
  Device device = kCpu;  // makes them
};

struct ClipArrays {
  EntryParts parts;  // in the order of kModalities
  // Says what is missing ("no sound", "no picture"), undecodable, damaged, or shorter than its header promises.
  std::string note;
};

// Holds filters and scratch memory: make one per thread and use it for many clips. Works on one thread.
class ClipDecoder {
 public:
  ClipDecoder(const FrameOptions& frames, const SpectrogramOptions& spectrograms);

  // Decodes a clip's sound and picture; either path may be empty, both may be the same file.
  // DataError, one line with file and reason: neither can be used, or one was cut (Truncated) or is not to be opened
  // (CannotOpen). SystemError: the machine cannot read a file, of which nothing may be kept then.
  ClipArrays operator()(const std::filesystem::path& audio, const std::filesystem::path& video);

  // clip: as load_clip() or to_clip() makes it. The log spectrograms, in the order of the options' kinds.
  EntryParts spectrograms(const Waveform& clip);

 private:
  FrameOptions frames_;
  std::vector<Modality> modalities_;
  std::vector<SpectrogramKind> kinds_;  // modalities_ in audio/'s words
  FeatureExtractor extract_;
};

}  // namespace avs::data
