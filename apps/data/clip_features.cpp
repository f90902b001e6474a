#include "apps/data/clip_features.h"

#include "tensor/error.h"

namespace avs::data {
namespace {

constexpr const char* kNoPicture = "no picture";
constexpr const char* kNoSound = "no sound";

// One of a clip's two sides: decoded, absent or broken. A broken side does not cost the clip its other one.
struct Side {
  EntryParts parts;
  std::string problem;  // why there are no parts: "no picture", or the decoder's words
};

template <typename Decode>
Side decode_side(const std::filesystem::path& path, const char* absent, const Decode& decode) {
  if (path.empty()) return {{}, absent};
  try {
    EntryParts parts = decode();
    if (parts.empty()) return {{}, absent};
    return {std::move(parts), {}};
  } catch (const Truncated&) {
    throw;
  } catch (const DataError& error) {
    return {{}, error.what()};
  }
}

EntryParts picture_parts(const std::filesystem::path& path, const FrameOptions& options) {
  std::optional<Frames> frames = sample_frames(path, options);
  if (!frames) return {};
  return {{Part::Frames, std::move(frames->pixels)}};
}

SpectrogramKind kind_of(Part part) { return spectrogram_kind_of(name_of(part)); }

}  // namespace

std::string_view name_of(CqtRange range) { return range == CqtRange::FullBand ? "full" : "author"; }

CqtRange cqt_range_from_name(std::string_view name) {
  for (const CqtRange range : {CqtRange::FullBand, CqtRange::Author})
    if (name == name_of(range)) return range;
  throw UsageError(str("no CQT range '", name, "': expected full or author"));
}

ClipDecoder::ClipDecoder(const FrameOptions& frames, const SpectrogramOptions& spectrograms)
    : frames_(frames), extract_(spectrograms.cqt, spectrograms.device) {
  for (const Part part : spectrograms.kinds) kinds_.push_back(kind_of(part));
}

EntryParts ClipDecoder::sound_parts(const std::filesystem::path& path) {
  const std::optional<Waveform> clip = load_clip(path);
  if (!clip) return {};
  std::vector<Tensor> logs = extract_(*clip, kinds_, Stage::Log);  // [128, 704, 2] each
  EntryParts parts;
  for (size_t i = 0; i < kinds_.size(); ++i) parts.push_back({part_from_name(name_of(kinds_[i])), std::move(logs[i])});
  return parts;
}

ClipArrays ClipDecoder::operator()(const std::filesystem::path& audio, const std::filesystem::path& video) {
  Side picture = decode_side(video, kNoPicture, [&] { return picture_parts(video, frames_); });
  Side sound;
  if (!kinds_.empty()) sound = decode_side(audio, kNoSound, [&] { return sound_parts(audio); });
  if (picture.parts.empty() && sound.parts.empty()) {
    if (picture.problem != kNoPicture) throw DataError(picture.problem);
    if (!sound.problem.empty() && sound.problem != kNoSound) throw DataError(sound.problem);
    throw DataError(str((video.empty() ? audio : video).string(), ": ", kNoPicture, " in it"));
  }
  ClipArrays arrays{std::move(picture.parts), picture.problem.empty() ? sound.problem : picture.problem};
  for (auto& part : sound.parts) arrays.parts.push_back(std::move(part));
  return arrays;
}

}  // namespace avs::data
