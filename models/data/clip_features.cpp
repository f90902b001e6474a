#include "models/data/clip_features.h"

#include "tensor/error.h"

namespace avs::data {
namespace {

constexpr const char* kNoPicture = "no picture";
constexpr const char* kNoSound = "no sound";

// One of a clip's two sides: decoded, absent or broken. A broken side does not cost the clip its other one.
struct Side {
  EntryParts parts;
  std::string note = {};     // their decoder's
  std::string problem = {};  // why there are none: "no picture", or the decoder's words
};

template <typename Decode>
Side decode_side(const std::filesystem::path& path, const char* absent, const Decode& decode) {
  if (path.empty()) return {.parts = {}, .problem = absent};
  try {
    Side side = decode();
    if (side.parts.empty()) side.problem = absent;
    return side;
  } catch (const Truncated&) {
    throw;
  } catch (const CannotOpen&) {  // it may be there the next time: nothing is kept of the clip
    throw;
  } catch (const DataError& error) {
    return {.parts = {}, .problem = error.what()};
  }
}

Side picture_side(const std::filesystem::path& path, const FrameOptions& options) {
  std::optional<Frames> frames = sample_frames(path, options);
  if (!frames) return {};
  return {.parts = {{Modality::Frames, std::move(frames->pixels)}}, .note = frames->note};
}

SpectrogramKind kind_of(Modality sound) {
  if (sound == Modality::Mel) return SpectrogramKind::Mel;
  return sound == Modality::Gammatone ? SpectrogramKind::Gam : SpectrogramKind::Cqt;
}

}  // namespace

std::string_view name_of(CqtRange range) { return range == CqtRange::FullBand ? "full" : "author"; }

CqtRange cqt_range_from_name(std::string_view name) {
  for (const CqtRange range : {CqtRange::FullBand, CqtRange::Author})
    if (name == name_of(range)) return range;
  throw UsageError(str("no CQT range '", name, "': expected full or author"));
}

ClipDecoder::ClipDecoder(const FrameOptions& frames, const SpectrogramOptions& spectrograms)
    : frames_(frames), modalities_(spectrograms.kinds), extract_(spectrograms.cqt, spectrograms.device) {
  for (const Modality sound : modalities_) kinds_.push_back(kind_of(sound));
}

EntryParts ClipDecoder::spectrograms(const Waveform& clip) {
  std::vector<Tensor> logs = extract_(clip, kinds_, Stage::Log);  // [128, 704, 2] each
  EntryParts parts;
  for (size_t i = 0; i < kinds_.size(); ++i) parts.push_back({modalities_[i], std::move(logs[i])});
  return parts;
}

ClipArrays ClipDecoder::operator()(const std::filesystem::path& audio, const std::filesystem::path& video) {
  Side picture = decode_side(video, kNoPicture, [&] { return picture_side(video, frames_); });
  Side sound;
  if (!kinds_.empty())
    sound = decode_side(audio, kNoSound, [&]() -> Side {
      const std::optional<Waveform> clip = load_clip(audio);
      if (!clip) return {};
      return {.parts = spectrograms(*clip), .note = clip->note};
    });
  if (picture.parts.empty() && sound.parts.empty()) {
    if (picture.problem != kNoPicture) throw DataError(picture.problem);
    if (!sound.problem.empty() && sound.problem != kNoSound) throw DataError(sound.problem);
    throw DataError(str((video.empty() ? audio : video).string(), ": ", kNoPicture, " in it"));
  }
  ClipArrays arrays{std::move(picture.parts), {}};
  for (auto& part : sound.parts) arrays.parts.push_back(std::move(part));
  for (const std::string& note : {picture.problem, sound.problem, picture.note, sound.note})
    if (!note.empty()) arrays.note += (arrays.note.empty() ? "" : "; ") + note;
  return arrays;
}

}  // namespace avs::data
