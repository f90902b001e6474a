// From files to batches: decodes a clip as `prepare` does, compares with the ffmpeg program, and reads training batches
// from a cache.
//
//   decode/CLIP           20 frames of 224 x 224 and the sound, one thread: a file's cost before any spectrogram
//   decode_ffmpeg/CLIP    the ffmpeg program (if installed), one thread: the same frames and sound, and its start-up.
//                         --benchmark_enable_random_interleaving=true alternates the two
//   loader/KIND/BATCH     samples a second from a warm cache, one worker
//
// The benchmark makes the clips: ten seconds of moving picture at 25 frames a second, with B-frames if the encoder
// supports them. AVS_BENCH_CLIP=FILE adds one of yours as decode/file.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "apps/data/media_writer.h"
#include "apps/data/prepare.h"
#include "audio/decode.h"
#include "models/data/loader.h"
#include "tensor/error.h"
#include "tensor/rng.h"
#include "vision/frames.h"

namespace avs {
namespace {

namespace fs = std::filesystem;

const fs::path& folder() {  // removed when the program ends
  struct Folder {
    fs::path path;
    Folder() {
      std::string name = (fs::temp_directory_path() / "avscene-bench-XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr) throw Error("no temporary folder");
      path = name;
    }
    ~Folder() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  };
  static const Folder made;
  return made.path;
}

// A textured picture that drifts, and a tone in noise.
data::MediaContents moving_picture(int64_t width, int64_t height, double seconds, int which) {
  data::MediaContents contents;
  contents.frames_per_second = 25;
  contents.frames = Tensor::empty({static_cast<int64_t>(25 * seconds), height, width, 3}, DType::U8);
  Rng rng(static_cast<uint64_t>(which));
  std::vector<uint8_t> texture(256 * 256 * 3);
  for (uint8_t& value : texture) value = static_cast<uint8_t>(64 + rng.below(128));
  uint8_t* to = contents.frames.data<uint8_t>();
  for (int64_t k = 0; k < contents.frames.shape()[0]; ++k)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t c = 0; c < 3; ++c)
          *to++ = texture[static_cast<size_t>((((y + k) / 4 % 256) * 256 + (x + 2 * k) / 4 % 256) * 3 + c)];
  for (int64_t i = 0; i < static_cast<int64_t>(44100 * seconds); ++i) {
    const double tone = 0.3 * std::sin(0.06 * static_cast<double>(i));
    for (int channel = 0; channel < 2; ++channel)
      contents.samples.push_back(static_cast<float>(tone + 0.1 * rng.uniform(-1, 1)));
  }
  return contents;
}

const std::map<std::string, fs::path>& clips() {
  static const std::map<std::string, fs::path> made = [] {
    std::map<std::string, fs::path> files;
    for (const auto& [name, width, height] : {std::tuple{"360p", 640, 360}, {"720p", 1280, 720}}) {
      files[name] = folder() / (std::string(name) + ".mp4");
      data::write_mp4(files[name], moving_picture(width, height, 10, 1));
    }
    if (const char* own = std::getenv("AVS_BENCH_CLIP")) files["file"] = own;
    return files;
  }();
  return made;
}

void decode(benchmark::State& state, const fs::path& clip) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(sample_frames(clip));
    benchmark::DoNotOptimize(decode_sound(clip, 10));
  }
  state.counters["clips/s"] = benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
}

void decode_ffmpeg(benchmark::State& state, const fs::path& clip) {
  const std::string command = str(
      "ffmpeg -nostdin -v error -y -threads 1 -filter_threads 1 -t 10 -i '", clip.string(),
      "' -map 0:v -vf 'fps=2,scale=224:224:flags=bicubic+accurate_rnd+full_chroma_int' -pix_fmt rgb24 -f rawvideo '",
      (folder() / "frames").string(), "' -map 0:a? -f f32le '", (folder() / "sound").string(), "' 2>/dev/null");
  if (std::system("command -v ffmpeg >/dev/null") != 0) return state.SkipWithError("no ffmpeg program");
  for (auto _ : state)
    if (std::system(command.c_str()) != 0) return state.SkipWithError("the ffmpeg program failed");
  state.counters["clips/s"] = benchmark::Counter(1, benchmark::Counter::kIsIterationInvariantRate);
}

const data::Cache& cache() {
  static const data::Cache made = [] {
    for (int i = 0; i < 8; ++i)
      for (const char* label : {"a", "b"}) {
        fs::create_directories(folder() / "data" / label);
        data::write_mp4(folder() / "data" / label / str("clip", i, ".mp4"), moving_picture(160, 120, 3, i));
      }
    data::PrepareOptions options;
    options.data = folder() / "data";
    options.cache = folder() / "cache";
    options.arrays.spectrograms.kinds = {Modality::Mel};
    data::prepare(options);
    return data::Cache::open(options.cache);
  }();
  return made;
}

void load(benchmark::State& state, const data::Dataset& dataset, int64_t batch) {
  data::Loader loader(dataset, {.batch = batch, .order = data::Order::Shuffled, .workers = 1});
  int64_t epoch = 0, samples = 0;
  loader.start_epoch(epoch);
  for (auto _ : state) {
    std::optional<data::Batch> made = loader.next();
    if (!made) {
      loader.start_epoch(++epoch);
      made = loader.next();
    }
    samples += made->targets.shape()[0];
    benchmark::DoNotOptimize(made);
  }
  state.SetItemsProcessed(samples);
}

void load_frames(benchmark::State& state) {
  const data::FrameDatasetOptions options{.random_frames = 8};
  load(state, data::FrameDataset(cache(), data::Split::Train, options), 32);
}
void load_resized_frames(benchmark::State& state) {
  const data::FrameDatasetOptions options{.image_size = 160, .random_frames = 8};
  load(state, data::FrameDataset(cache(), data::Split::Train, options), 32);
}
void load_spectrograms(benchmark::State& state) {
  load(state, data::SpectrogramDataset(cache(), Modality::Mel, data::Split::Train), 8);
}

BENCHMARK(load_frames)->Name("loader/frames/32")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(load_resized_frames)->Name("loader/frames160/32")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(load_spectrograms)->Name("loader/mel/8")->UseRealTime()->Unit(benchmark::kMillisecond);

// Registration only needs names and makes no clip, so that listing the benchmarks is fast.
const bool registered = [] {
  for (const std::string name : {"360p", "720p", "file"}) {
    if (name == "file" && std::getenv("AVS_BENCH_CLIP") == nullptr) continue;
    for (const auto& [title, run] : {std::pair{"decode/", &decode}, std::pair{"decode_ffmpeg/", &decode_ffmpeg}})
      benchmark::RegisterBenchmark((title + name).c_str(),
                                   [name, run = run](benchmark::State& state) { run(state, clips().at(name)); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace avs
