// extract_features: computes one clip's spectrogram as a tensor and, optionally, as a picture.
#include <filesystem>
#include <iostream>
#include <map>

#include "apps/cli/program.h"
#include "apps/report/picture.h"
#include "audio/features.h"
#include "models/checkpoint.h"
#include "models/file.h"
#include "vision/image.h"

namespace {

using namespace avs;

struct Options {
  std::string kind, stage = "log", cqt = "full";
  std::string in, out, png;
};

const std::map<std::string, Stage> kStages = {{"power", Stage::Power}, {"log", Stage::Log}, {"delta", Stage::Delta}};

void write_png(const std::filesystem::path& path, const Tensor& pixels) {
  const std::vector<uint8_t> png = encode_png(pixels);
  const ByteView bytes = std::as_bytes(std::span(png));
  write_file(path, std::span(&bytes, 1));
}

void extract(const Options& options) {
  const std::optional<Waveform> clip = load_clip(options.in);
  if (!clip) throw DataError(str(options.in, ": has no sound"));
  FeatureExtractor extractor(options.cqt == "full" ? CqtRange::FullBand : CqtRange::Author);
  const SpectrogramKind kind = spectrogram_kind_of(options.kind);
  const Stage stage = kStages.at(options.stage);
  const Tensor features = extractor(*clip, kind, stage);
  Checkpoint file;
  file.tensors["features"] = features;
  file.metadata = {{"kind", options.kind},
                   {"stage", options.stage},
                   {"source", std::filesystem::path(options.in).filename().string()}};
  if (kind == SpectrogramKind::Cqt) file.metadata["cqt"] = options.cqt;
  file.save(options.out);
  if (!options.png.empty())  // powers span ten decades: draw their logarithm
    write_png(options.png, spectrogram_picture(stage == Stage::Power ? extractor(*clip, kind, Stage::Log) : features));
  std::cout << options.out << ": features " << features.shape() << ", " << options.kind << " " << options.stage << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  Program program("extract_features", "Computes a spectrogram of the first ten seconds of a file's sound",
                  "extract_features --kind mel --in clip.wav --out mel.safetensors\n"
                  "extract_features --kind gam --in film.mp4 --out gam.safetensors --stage delta\n"
                  "extract_features --kind cqt --in clip.wav --out cqt.safetensors --png cqt.png --cqt author");
  avs::Flags& flags = program.flags();
  flags.add("--kind", options.kind, "Which spectrogram").required().one_of({"mel", "gam", "cqt"});
  flags.add("--in", options.in, "Any file with sound").required();
  flags.add("--out", options.out, "safetensors file; tensor 'features', f32 [128, 704, 2 or 6]").required();
  flags.add("--stage", options.stage, "power: before the log; delta: with deltas, 6 channels")
      .one_of({"power", "log", "delta"})
      .shows_default();
  flags.add("--png", options.png, "Also draw it: time to the right, low bands at the bottom");
  flags.add("--cqt", options.cqt, "full: 12 bands an octave from 9.8 Hz; author: 24 from 10 Hz")
      .one_of({"full", "author"})
      .shows_default();
  return program.run(argc, argv, [&] { extract(options); });
}
