// prepare: a folder of videos in, a cache of frames and spectrograms out.
#include "apps/data/prepare.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <thread>

#include "apps/cli/compute_options.h"
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
    "  DIR/{train,test}/CLASS/*\n"
    "  DIR/CLASS/*, of which 30 % of each class become the test split\n"
    "A killed run continues when the same command is given again.";

struct Arguments {
  std::string data, cache, cqt = "full", features_on = "cpu", decode_on = "cpu";
  std::vector<std::string> kinds = {"mel", "gam", "cqt"};
  avs::FrameOptions frames;
  uint64_t seed = 0;
  int workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  bool strict = false;
};

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("--data", arguments.data, "Folder of the data set")->required()->type_name("DIR");
  app.add_option("--cache", arguments.cache, "Folder to fill, made if missing")->required()->type_name("DIR");
  app.add_option("--workers", arguments.workers, "Clips decoded at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_option("--frames-per-second", arguments.frames.frames_per_second, "Pictures kept of each second")
      ->capture_default_str();
  app.add_option("--image-size", arguments.frames.image_size, "Pixels on each side of a kept picture")
      ->capture_default_str();
  app.add_option("--kinds", arguments.kinds, "Spectrograms to compute: mel,gam,cqt or none")
      ->delimiter(',')
      ->default_str("mel,gam,cqt");
  app.add_option("--cqt", arguments.cqt, "CQT bands: full (12 an octave) or author (24 an octave)")
      ->capture_default_str();
  avs::add_features_option(app, arguments.features_on);
  avs::add_decoder_option(app, arguments.decode_on);
  app.add_option("--seed", arguments.seed, "Of the validation (and test) cut")->capture_default_str();
  app.add_flag("--strict", arguments.strict, "Exit 1 when any file had to be skipped");
}

avs::data::PrepareOptions options_from(const Arguments& arguments) {
  using namespace avs::data;
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
    if (name != "none" && part_from_name(name) == Part::Frames)
      throw avs::UsageError("frames are always kept; --kinds takes mel, gam, cqt or none");
  for (const Part part : {Part::Mel, Part::Gam, Part::Cqt})
    if (asked(name_of(part))) spectrograms.kinds.push_back(part);
  return options;
}

void run(const Arguments& arguments) {
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
  add_options(program.app(), arguments);
  return program.run(argc, argv, [&] { run(arguments); });
}
