// make_demo_data: writes a data set of small mp4 files with picture and sound (apps/demo/scenes.h).
#include <atomic>
#include <filesystem>
#include <iostream>

#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "apps/data/media_writer.h"
#include "apps/demo/scenes.h"
#include "models/file.h"
#include "tensor/parallel.h"

namespace {

using namespace avs;
namespace fs = std::filesystem;

struct Options {
  std::string out;
  int64_t train_clips = 14, validation_clips = 5, test_clips = 6;  // per scene
  double seconds = 2;
  uint64_t seed = 1;
  int threads = 2;
};

struct Job {
  const demo::Scene* scene;
  fs::path path;
  Rng rng;
};

std::vector<Job> jobs_of(const Options& options) {
  std::vector<Job> jobs;
  const std::pair<const char*, int64_t> splits[] = {
      {"train", options.train_clips}, {"val", options.validation_clips}, {"test", options.test_clips}};
  for (const auto& [split, clips] : splits)
    for (const demo::Scene& scene : demo::kScenes) {
      const fs::path folder = fs::path(options.out) / split / scene.name;
      make_folders(folder);
      for (int64_t i = 1; i <= clips; ++i) {
        const std::string name = str(scene.name, i < 10 ? "_0" : "_", i, ".mp4");
        const Rng rng = Rng(options.seed).fork(str(split, "/", scene.name), static_cast<uint64_t>(i));
        jobs.push_back({&scene, folder / name, rng});
      }
    }
  return jobs;
}

// Lengths and frame rates differ from clip to clip, as in real collections.
void write_clip(const Job& job, double mean_seconds) {
  Rng rng = job.rng.fork("clip");
  const double seconds = mean_seconds * rng.uniform(0.85, 1.15);
  constexpr double kFrameRates[] = {4, 5, 6};
  constexpr int64_t kSampleRates[] = {32000, 44100, 48000};
  const demo::PictureFormat format{.frames_per_second = kFrameRates[rng.below(3)]};
  const int64_t sample_rate_hz = kSampleRates[rng.below(3)];
  data::write_mp4(job.path,
                  {.frames = demo::render_sight(job.scene->sight, format, seconds, job.rng.fork("sight")),
                   .frames_per_second = format.frames_per_second,
                   .samples = demo::render_sound(job.scene->sound, sample_rate_hz, seconds, job.rng.fork("sound")),
                   .sample_rate_hz = sample_rate_hz});
}

// Refuses a folder that was begun with other options: it would become a mixture. Existing files are kept.
void claim_folder(const Options& options) {
  const fs::path note = fs::path(options.out) / "options.txt";
  const std::string ours =
      str("train_clips ", options.train_clips, "\nvalidation_clips ", options.validation_clips, "\ntest_clips ",
          options.test_clips, "\nseconds ", options.seconds, "\nseed ", options.seed, "\n");
  make_folders(options.out);
  if (fs::exists(note)) {
    if (read_text(note) != ours)
      throw DataError(
          str(options.out, ": holds a data set made with other options (", note.string(), "); choose another folder"));
    return;
  }
  write_text(note, ours);
}

void make(const Options& options) {
  const InterruptSignals signals;
  claim_folder(options);
  const std::vector<Job> jobs = jobs_of(options);
  std::atomic<int64_t> written = 0;
  set_thread_count(options.threads);
  parallel_for(static_cast<int64_t>(jobs.size()), 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      stop_if_interrupted();
      const Job& job = jobs[static_cast<size_t>(i)];
      if (fs::exists(job.path)) continue;
      write_clip(job, options.seconds);
      ++written;
    }
  });
  std::cout << options.out << ": " << jobs.size() << " clips of " << demo::kScenes.size() << " scenes, " << written
            << " written now\n";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  Program program("make_demo_data",
                  "Makes a data set of small videos in which neither picture nor sound alone tells the scene",
                  "make_demo_data --out build/demo/data\n"
                  "make_demo_data --out /tmp/scenes --train-clips 100 --test-clips 40 --seed 7");
  avs::Flags& flags = program.flags();
  flags.add("--out", options.out, "Folder to fill: {train,val,test}/SCENE/*.mp4").required();
  flags.add("--train-clips", options.train_clips, "Clips of each scene to train on").within(1, 100000).shows_default();
  flags.add("--validation-clips", options.validation_clips, "Clips of each scene to choose the best epoch by")
      .within(1, 100000)
      .shows_default();
  flags.add("--test-clips", options.test_clips, "Clips of each scene to test on").within(1, 100000).shows_default();
  flags.add("--seconds", options.seconds, "Mean length of a clip").within(0.5, 60.0).shows_default();
  flags.add("--seed", options.seed, "Another seed, other clips").shows_default();
  flags.add("--threads", options.threads, "Clips written at once").within(1, 1024).shows_default();
  return program.run(
      argc, argv, [&] { make(options); }, "the same command continues");
}
