// prepare: makes a cache of frames and spectrograms from a folder of videos.
#include "apps/data/prepare.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <thread>

#include "apps/cli/compute_options.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "tensor/error.h"

namespace {

constexpr const char* kExamples =
    "prepare --data TAU-urban-audio-visual-scenes-2021-development --cache tau.cache --workers 16\n"
    "prepare --data my_videos --cache my.cache";

constexpr const char* kDescription =
    "Decodes every clip of a data set once, into a cache of frames and log spectrograms.\n\n"
    "--data is one of\n"
    "  DIR with meta.csv and evaluation_setup/fold1_{train,test,evaluate}.csv (DCASE), or those in DIR/<name>.meta/\n"
    "  DIR/{train,test}/CLASS/*, with DIR/validation/CLASS/* (or val, valid, dev) where there is one\n"
    "  DIR/CLASS/*, of which 30 % of each class become the test split\n"
    "Where no validation split is given, about 15 % of the training clips become it. Files that are no clips "
    "(subtitles,\n"
    "thumbnails, pipes, names that are not UTF-8) are skipped, told and counted.\n"
    "A killed run continues when the same command is given again.";

struct Arguments {
  std::string data, cache, cqt = "full", features_on = "cpu", decode_on = "cpu";
  std::vector<std::string> kinds = {"mel", "gam", "cqt"};
  avs::FrameOptions frames;
  uint64_t seed = 0;
  int workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  bool strict = false;
};

void add_options(avs::Flags& flags, Arguments& arguments) {
  flags.add("--data", arguments.data, "Folder of the data set").required().value_name("DIR");
  flags.add("--cache", arguments.cache, "Folder to fill, made if missing").required().value_name("DIR");
  flags.add("--workers", arguments.workers, "Clips decoded at once").shows_default().within(1, 1024);
  flags.add("--frames-per-second", arguments.frames.frames_per_second, "Pictures kept of each second").shows_default();
  flags.add("--image-size", arguments.frames.image_size, "Pixels on each side of a kept picture").shows_default();
  flags.add("--kinds", arguments.kinds, "Spectrograms to compute: mel,gam,cqt or none")
      .joined_by_commas()
      .shows_default("mel,gam,cqt");
  flags.add("--cqt", arguments.cqt, "CQT bands: full (12 an octave) or author (24 an octave)").shows_default();
  avs::add_features_option(flags, arguments.features_on);
  avs::add_decoder_option(flags, arguments.decode_on);
  flags.add("--seed", arguments.seed, "Of the validation (and test) cut").shows_default();
  flags.add("--strict", arguments.strict, "Exit 1 when any file had to be skipped");
}

avs::data::PrepareOptions options_from(const Arguments& arguments) {
  using namespace avs::data;
  using avs::Modality;
  PrepareOptions options{
      arguments.data, arguments.cache, {arguments.frames, {}}, {.seed = arguments.seed}, arguments.workers};
  SpectrogramOptions& spectrograms = options.arrays.spectrograms;
  spectrograms.cqt = cqt_range_from_name(arguments.cqt);
  spectrograms.device = avs::features_device(arguments.features_on);
  options.arrays.frames.hardware = avs::video_decoder(arguments.decode_on);
  spectrograms.kinds.clear();
  const auto asked = [&](std::string_view name) {
    return std::find(arguments.kinds.begin(), arguments.kinds.end(), name) != arguments.kinds.end();
  };
  for (const std::string& name : arguments.kinds)
    if (name != "none" && avs::modality_from_name(name) == Modality::Frames)
      throw avs::UsageError("frames are always kept; --kinds takes mel, gam, cqt or none");
  for (const Modality kind : {Modality::Mel, Modality::Gammatone, Modality::Cqt})
    if (asked(name_of(kind))) spectrograms.kinds.push_back(kind);
  return options;
}

void run(const Arguments& arguments) {
  const avs::InterruptSignals signals;
  const avs::data::PrepareReport report = avs::data::prepare(options_from(arguments));
  std::cout << describe(report) << std::flush;
  if (!report.failure.empty()) throw avs::DataError(avs::str(report.header.data_root.string(), ": ", report.failure));
  if (arguments.strict && !report.header.skipped.empty())
    throw avs::DataError(avs::str("--strict: ", report.header.skipped.size(), " clips were skipped"));
}

}  // namespace

int main(int argc, char** argv) {
  avs::Program program("prepare", kDescription, kExamples);
  Arguments arguments;
  add_options(program.flags(), arguments);
  return program.run(
      argc, argv, [&] { run(arguments); }, "the same command continues");
}
