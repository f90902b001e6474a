#include "apps/train/classifier.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "audio/delta.h"
#include "audio/resample.h"
#include "autograd/variable.h"
#include "models/training/fusion_training.h"
#include "models/training/predict.h"
#include "tensor/ops/cast.h"
#include "tensor/ops/softmax.h"
#include "tensor/require.h"

namespace avs {
namespace {

constexpr int64_t kSamplesPerPass = 32;

std::string damage_of(const std::optional<Frames>& frames, const std::optional<Waveform>& sound) {
  std::string note = frames ? frames->note : "";
  if (sound && !sound->note.empty()) note += (note.empty() ? "" : "; ") + sound->note;
  return note;
}

// Frames of another size than the network's are resized as they enter it.
Samples at_size(const Tensor& x, const Shape& wanted) {
  const int64_t n = x.shape()[0], h = x.shape()[1], w = x.shape()[2];
  if (h == wanted[0] && w == wanted[1]) return x;
  const PictureBox whole{0, 0, static_cast<float>(w), static_cast<float>(h)};
  return {x, {to_tensor(std::vector<PictureBox>(static_cast<size_t>(n), whole)), wanted[0], wanted[1]}};
}

// Returns the frames with times in [from, to); if there are none, the one nearest to the middle.
Tensor frames_between(const Frames& frames, double from, double to) {
  int64_t first = -1, last = -1, nearest = 0;
  const auto& seconds = frames.seconds;
  for (int64_t i = 0; i < static_cast<int64_t>(seconds.size()); ++i) {
    const double at = seconds[static_cast<size_t>(i)], middle = (from + to) / 2;
    if (std::abs(at - middle) < std::abs(seconds[static_cast<size_t>(nearest)] - middle)) nearest = i;
    if (at < from || at >= to) continue;
    if (first < 0) first = i;
    last = i;
  }
  return first < 0 ? frames.pixels.rows(nearest, 1) : frames.pixels.rows(first, last - first + 1);
}

// Borders of pieces of `seconds` in a file of `total` seconds; what is left over at the end joins the last piece.
std::vector<double> borders(double total, double seconds) {
  const auto pieces = std::max<int64_t>(1, static_cast<int64_t>(std::floor(total / seconds + 0.5)));
  std::vector<double> at;
  for (int64_t i = 0; i < pieces; ++i) at.push_back(static_cast<double>(i) * seconds);
  at.push_back(total);
  return at;
}

Waveform part_of_sound(const Waveform& sound, double from, double to) {
  const auto frame = [&](double second) {
    const auto at = static_cast<int64_t>(std::llround(second * static_cast<double>(sound.sample_rate_hz)));
    return std::clamp<int64_t>(at, 0, sound.frames());
  };
  const int64_t first = frame(from), last = frame(to);
  Waveform part{sound.sample_rate_hz, sound.channels, {}};
  part.samples.assign(sound.samples.begin() + first * sound.channels, sound.samples.begin() + last * sound.channels);
  return part;
}

}  // namespace

Classifier::Classifier(const std::filesystem::path& fusion_run, Placement placement, MediaPlacement media)
    : fusion_(load_trained_fusion(fusion_run)) {
  data::SpectrogramOptions spectrograms{.kinds = {}, .device = media.features};
  for (size_t i = 0; i < fusion_.inputs.size(); ++i) {
    backbones_.push_back(load_input_backbone(fusion_, i));
    const TrainedBackbone& b = backbones_.back();
    place(*b.net, placement);
    inferences_.emplace_back(*b.net);
    check_classes(b.classes, fusion_.classes, b.file.string());
    const Modality modality = b.net->modality();
    if (modality == Modality::Frames)
      frames_ = b.inputs.frames;
    else if (std::ranges::find(spectrograms.kinds, modality) == spectrograms.kinds.end())
      spectrograms.kinds.push_back(modality);
    if (modality == Modality::Cqt) spectrograms.cqt = b.inputs.spectrograms.cqt;
  }
  if (!spectrograms.kinds.empty()) decoder_.emplace(frames_, spectrograms);
  frames_.hardware = std::move(media.video);
  for (const TrainedBackbone& b : backbones_)
    require<DataError>(
        b.net->modality() != Modality::Frames || (b.inputs.frames.image_size == frames_.image_size &&
                                                  b.inputs.frames.frames_per_second == frames_.frames_per_second),
        b.file.string(), ": trained on other frames than the fusion's other visual backbone");
}

bool Classifier::reads(bool wants_sound) const {
  return std::ranges::any_of(backbones_, [&](const auto& b) { return is_sound(b.net->modality()) == wants_sound; });
}

void Classifier::check_has(const std::filesystem::path& file, bool has_sound, bool has_picture) const {
  const auto needed_by = [&](bool sound) {
    std::string names;
    for (const TrainedBackbone& b : backbones_)
      if (is_sound(b.net->modality()) == sound) names += (names.empty() ? "" : ", ") + b.net->options().model;
    return names;
  };
  if (reads(true) && !has_sound) throw DataError(str(file.string(), ": no sound for ", needed_by(true)));
  if (reads(false) && !has_picture) throw DataError(str(file.string(), ": no picture for ", needed_by(false)));
}

ClassAnswers Classifier::classify(const std::filesystem::path& file) {
  constexpr double kBeyond = kClipSeconds + kToleranceSeconds;
  std::optional<Frames> frames;
  std::optional<Waveform> sound;
  if (reads(false)) frames = frames_and_next(file);
  if (reads(true)) sound = load_clip(file);
  check_has(file, sound.has_value(), frames.has_value());
  bool goes_on = frames && frames->seconds.back() > kBeyond - 0.5 / frames_.frames_per_second;
  if (sound && !goes_on) goes_on = decode_sound(file, kBeyond + kToleranceSeconds)->seconds() > kBeyond;
  ClassAnswers result{.note = damage_of(frames, sound)};
  Tensor pictures;
  if (frames) pictures = frames->pixels.rows(0, std::min(frames->pixels.shape()[0], max_frame_count(frames_)));
  result.answers.push_back({0, kClipSeconds, probabilities(pictures, sound)});
  if (goes_on) result.left_out.push_back(str("the file after its first ", kClipSeconds, " seconds"));
  return result;
}

// A clip's pictures and those of the next second, if there are any.
std::optional<Frames> Classifier::frames_and_next(const std::filesystem::path& file) const {
  FrameOptions longer = frames_;
  longer.max_seconds = kClipSeconds + kToleranceSeconds + 1 / frames_.frames_per_second;
  try {
    return sample_frames(file, longer);
  } catch (const Truncated&) {  // perhaps only behind the clip's end
    return sample_frames(file, frames_);
  }
}

ClassAnswers Classifier::classify_segments(const std::filesystem::path& file, double seconds) {
  constexpr double kReadSeconds = kMaxSeconds + 2 * kToleranceSeconds;  // enough to see that the file goes on
  FrameOptions whole = frames_;
  whole.max_seconds = kReadSeconds;
  std::optional<Frames> frames;
  std::optional<Waveform> sound;
  if (reads(false)) frames = sample_frames(file, whole);
  if (reads(true)) sound = decode_sound(file, kReadSeconds);
  check_has(file, sound.has_value(), frames.has_value());

  double total = 0;
  if (frames) total = static_cast<double>(frames->seconds.size()) / frames_.frames_per_second;
  if (sound) total = frames ? std::min(total, sound->seconds()) : sound->seconds();
  ClassAnswers result{.note = damage_of(frames, sound)};
  if (total > kMaxSeconds + kToleranceSeconds)
    result.left_out.push_back(str("the file after its first ", kMaxSeconds, " seconds"));
  const std::vector<double> at = borders(std::min(total, kMaxSeconds), seconds);
  double longest = 0;
  for (size_t i = 0; i + 1 < at.size(); ++i) {
    const Tensor pictures = frames ? frames_between(*frames, at[i], at[i + 1]) : Tensor();
    std::optional<Waveform> clip;
    // No more than is heard, and a second in which the resampler ends.
    if (sound) clip = to_clip(part_of_sound(*sound, at[i], std::min(at[i + 1], at[i] + kClipSeconds + 1)));
    result.answers.push_back({at[i], at[i + 1], probabilities(pictures, clip)});
    longest = std::max(longest, at[i + 1] - at[i]);
  }
  if (sound && longest > kClipSeconds + kToleranceSeconds)
    result.left_out.push_back(str("the sound of each segment after its first ", kClipSeconds, " seconds"));
  return result;
}

std::vector<float> Classifier::probabilities(const Tensor& frames, const std::optional<Waveform>& sound) {
  const NoGrad inference;
  std::map<Modality, Tensor> spectrograms;
  if (sound)
    for (const auto& [modality, log] : decoder_->spectrograms(*sound))
      spectrograms[modality] = audio::stack_deltas(log).reshape({1, 128, 704, 6});
  std::vector<Variable> embeddings;
  for (size_t i = 0; i < backbones_.size(); ++i) {
    const Modality modality = backbones_[i].net->modality();
    embeddings.emplace_back(embedding(i, is_sound(modality) ? spectrograms.at(modality) : frames));
  }
  return ops::softmax(fusion_.net->run(embeddings).value()).to_vector();
}

Tensor Classifier::embedding(size_t backbone, const Tensor& samples) {
  const int64_t n = samples.shape()[0];
  ClipMeans mean;
  for (int64_t first = 0; first < n; first += kSamplesPerPass) {
    const Tensor part = samples.rows(first, std::min(kSamplesPerPass, n - first));
    const Inference::Outputs output = inferences_[backbone].run(at_size(part, backbones_[backbone].net->input_shape()));
    const bool fc1024 = layer_of(fusion_.net->options().method) == EmbeddingLayer::Fc1024;
    const Tensor& rows = fc1024 ? output.fc1024 : output.logits;
    for (int64_t i = 0; i < rows.shape()[0]; ++i) mean.add(0, 0, row_of(rows, i));
  }
  return mean.take();
}

}  // namespace avs
