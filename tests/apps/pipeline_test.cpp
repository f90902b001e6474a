// The whole pipeline as a user runs it: train, extract, fuse, evaluate, classify; and errors for wrong input.
#include <nlohmann/json.hpp>

#include "tests/apps/training_workspace.h"

namespace avs::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// Two backbones and their embeddings, made once.
struct Pipeline {
  std::string sound = workspace().path("sound"), visual = workspace().path("visual");
  std::string embeddings = workspace().path("all.safetensors"), fusion = workspace().path("f4");

  Pipeline() {
    run("train_backbone", sound_flags() + " --epochs 1 --out " + sound);
    run("train_backbone", visual_flags() + " --epochs 2 --out " + visual);
    run("extract_embeddings", str("--backbone ", sound, " --backbone ", visual, " --threads 1 --cache ",
                                  workspace().cache, " --out ", embeddings));
    run("train_fusion", str("--embeddings ", embeddings, " --method f4 --epochs 20 --threads 1 --out ", fusion));
  }
  static void run(const std::string& name, const std::string& arguments) {
    const ProgramResult result = run_program(name, arguments);
    if (result.exit_code != 0) throw Error(name + ": " + result.err);
  }
};
const Pipeline& pipeline() {
  static const Pipeline once;
  return once;
}

json read_json(const std::string& file) { return json::parse(bytes_of(file)); }

TEST(Pipeline, ARunHoldsWhatItsContractSays) {
  for (const std::string& run : {pipeline().sound, pipeline().visual})
    for (const char* file : {"config.toml", "metrics.jsonl", "best.safetensors", "last.safetensors", "report.html"})
      EXPECT_TRUE(fs::exists(fs::path(run) / file)) << run << "/" << file;
}

TEST(Pipeline, ARunsConfigCanStartTheSameRunAgain) {
  const std::string again = workspace().path("again");
  Pipeline::run("train_backbone", str("--config ", pipeline().visual, "/config.toml --out ", again));
  EXPECT_TRUE(bytes_of(again + "/best.safetensors") == bytes_of(pipeline().visual + "/best.safetensors"));
  EXPECT_TRUE(bytes_of(again + "/last.safetensors") == bytes_of(pipeline().visual + "/last.safetensors"));
}

TEST(Pipeline, EveryFusionTrainsAndTheTableHasAColumnForEach) {
  std::string evaluate = "--threads 1 --embeddings " + pipeline().embeddings;
  for (const char* method : {"f1", "f2", "f3", "f4", "f5", "f6"}) {
    const std::string run = workspace().path(str("column-", method));
    Pipeline::run("train_fusion", str("--embeddings ", pipeline().embeddings, " --method ", method,
                                      " --epochs 3 --threads 1 --out ", run));
    evaluate += " --fusion " + run;
  }
  const std::string file = workspace().path("six.json");
  const ProgramResult result = run_program("evaluate", evaluate + " --json " + file);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("column-f6"));
  EXPECT_EQ(read_json(file)["methods"].size(), 6u);
}

TEST(Pipeline, AFusionOfOneModalityTrainsToo) {
  const std::string run = workspace().path("audio-only");
  Pipeline::run("train_fusion", str("--embeddings ", pipeline().embeddings,
                                    " --method f5 --use aud-mel --epochs 3 --threads 1 --out ", run));
  const ProgramResult result =
      run_program("classify", str("--fusion ", run, " --json ", workspace().clip(0, 0).string()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["probabilities"].size(), 2u);
}

TEST(Pipeline, ClipsWithoutSoundAreLeftOutAndCounted) {
  const ProgramResult result = run_program(
      "train_fusion",
      str("--embeddings ", pipeline().embeddings, " --method f6 --epochs 1 --out ", workspace().path("left")));
  EXPECT_EQ(result.exit_code, 0);
  const ProgramResult extract =
      run_program("extract_embeddings", str("--backbone ", pipeline().sound, " --cache ", workspace().cache, " --out ",
                                            workspace().path("mel.safetensors")));
  EXPECT_THAT(extract.out, HasSubstr("24 clips, 1 without sound"));
}

TEST(Pipeline, ClassifyGivesADataSetsClipTheAnswerThatEvaluateCounts) {
  const std::string csv = workspace().path("test.csv"), figures = workspace().path("test.json");
  const ProgramResult evaluated =
      run_program("evaluate", str("--fusion ", pipeline().fusion, " --embeddings ", pipeline().embeddings,
                                  " --submission ", csv, " --json ", figures));
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  EXPECT_GT(read_json(figures)["clips"], 0);
  std::istringstream lines(bytes_of(csv));
  std::string header, clip, label;
  double bus = 0, tram = 0;
  std::getline(lines, header);
  ASSERT_TRUE(lines >> clip >> label >> bus >> tram);
  const ProgramResult result = run_program(
      "classify", str("--fusion ", pipeline().fusion, " --json ", (fs::path(workspace().data) / clip).string()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json answer = json::parse(result.out);
  EXPECT_EQ(answer["label"], label);
  EXPECT_NEAR(answer["probabilities"]["bus"], bus, 1e-4);
  EXPECT_NEAR(answer["probabilities"]["tram"], tram, 1e-4);
}

TEST(Pipeline, BadFilesCostOneLineEachAndTheOthersAreAnswered) {
  const std::string text = workspace().path("text.mp4"), empty = workspace().path("empty.mp4");
  write_text(text, "this is no video");
  write_text(empty, "");
  const std::string good = workspace().clip(0, 1).string(), silent = workspace().clip(1, 12).string();
  const ProgramResult result = run_program(
      "classify", str("--fusion ", pipeline().fusion, " ", text, " ", empty, " ", silent, " /nowhere.mp4 ", good));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 1);
  EXPECT_THAT(result.out, HasSubstr(good + ": "));
  for (const std::string& line : {text + ": ", empty + ": ", silent + ": no sound for aud-mel",
                                  std::string("/nowhere.mp4: "), std::string("4 of 5 files")})
    EXPECT_THAT(result.err, HasSubstr(line));
}

TEST(Pipeline, DamageIsOneLineAndTheFileIsAnswered) {
  const std::string file = workspace().path("damaged.mp4");
  write_clip(file, 3, 6);
  std::string bytes = bytes_of(file);
  const size_t data = bytes.find("mdat");
  size_t length = 0;  // big-endian, before the name
  for (size_t i = data - 4; i < data; ++i) length = 256 * length + static_cast<uint8_t>(bytes[i]);
  bytes.replace(data + length / 2, length / 4, std::string(length / 4, '\x55'));
  write_text(file, bytes);
  for (const char* way : {"", "--segments 3 "}) {
    const ProgramResult result = run_program("classify", str("--fusion ", pipeline().fusion, " ", way, file));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out, HasSubstr(file));
    EXPECT_THAT(result.err, testing::ContainsRegex("damaged.mp4: its (pictures|sound) (is|are) damaged"));
    EXPECT_EQ(result.err.find("damaged.mp4"), result.err.rfind("damaged.mp4")) << "one line";
  }
}

TEST(Pipeline, SegmentsAnswerOverTime) {
  const std::string file = workspace().path("long.mp4");
  write_clip(file, 3, 5.2);
  const ProgramResult result =
      run_program("classify", str("--fusion ", pipeline().fusion, " --json --segments 2 ", file));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json segments = json::parse(result.out)["segments"];
  ASSERT_EQ(segments.size(), 3u);
  EXPECT_EQ(segments[1]["from_seconds"], 2.0);
  EXPECT_EQ(segments[1]["to_seconds"], 4.0);
}

// The left_out list of an answer; empty if absent.
std::vector<std::string> left_out(const std::string& fusion, const std::string& arguments) {
  const ProgramResult result = run_program("classify", str("--fusion ", fusion, " --json ", arguments));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json answer = json::parse(result.out);
  return answer.contains("left_out") ? answer["left_out"].get<std::vector<std::string>>() : std::vector<std::string>{};
}

TEST(Pipeline, WhatAnAnswerLeavesOutIsSaid) {
  using testing::ElementsAre;
  using testing::IsEmpty;
  const std::string file = workspace().path("twelve.mp4"), short_file = workspace().clip(0, 0).string();
  write_clip(file, 3, 12.5);
  const std::string &both = pipeline().fusion, visual = workspace().path("visual-only");
  Pipeline::run("train_fusion", str("--embeddings ", pipeline().embeddings,
                                    " --method f4 --use vis-conv --epochs 1 --threads 1 --out ", visual));
  for (const std::string& fusion : {both, visual}) {
    EXPECT_THAT(left_out(fusion, file), ElementsAre("the file after its first 10 seconds"));
    EXPECT_THAT(left_out(fusion, short_file), IsEmpty());
    EXPECT_THAT(left_out(fusion, "--segments 5 " + file), IsEmpty());
  }
  EXPECT_THAT(left_out(both, "--segments 13 " + file),
              ElementsAre("the sound of each segment after its first 10 seconds"));
  EXPECT_THAT(left_out(visual, "--segments 13 " + file), IsEmpty());
  EXPECT_THAT(run_program("classify", str("--fusion ", both, " ", file)).out,
              HasSubstr(file + ": left out: the file after its first 10 seconds\n"));
}

// An hour and two seconds of silence at 4 kHz, as a sparse file.
void write_long_wave(const std::string& file) {
  constexpr uint32_t kRate = 4000, kBytes = 3602 * kRate * 2;
  std::ofstream out(file, std::ios::binary);
  const auto put = [&](auto value) { out.write(reinterpret_cast<const char*>(&value), sizeof(value)); };
  out << "RIFF";
  put(kBytes + 36);
  out << "WAVEfmt ";
  put(uint32_t{16}), put(uint16_t{1}), put(uint16_t{1}), put(kRate), put(2 * kRate), put(uint16_t{2}),
      put(uint16_t{16});
  out << "data";
  put(kBytes);
  out.close();
  fs::resize_file(file, kBytes + 44);
}

TEST(Pipeline, SegmentsBeyondAnHourAreLeftOutAloud) {
  const std::string run = workspace().path("sound-only"), file = workspace().path("hour.wav");
  Pipeline::run("train_fusion", str("--embeddings ", pipeline().embeddings,
                                    " --method f4 --use aud-mel --epochs 1 --threads 1 --out ", run));
  write_long_wave(file);
  EXPECT_THAT(left_out(run, "--segments 1800 " + file),
              testing::ElementsAre("the file after its first 3600 seconds",
                                   "the sound of each segment after its first 10 seconds"));
}

TEST(Pipeline, NamesOfFilesReachNoTerminalRaw) {
  const fs::path folder = workspace().path("names");
  fs::create_directories(folder);
  const std::string names[] = {"\x1b[31mred\x07.mp4", "two\nlines\t.mp4", "[a,b]", "c,d"};
  std::string files;
  for (const std::string& name : names) {
    fs::copy_file(workspace().clip(0, 0), folder / name);
    files += " '" + name + "'";
  }
  for (const char* more : {"", "--json "}) {
    const ProgramResult result =
        run_program("classify", str("--fusion ", pipeline().fusion, " ", more, files, " '\x1b]0;no such file'"),
                    "cd " + folder.string() + " &&");
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_EQ(std::ranges::count(result.out, '\n'), 4) << result.out;
    EXPECT_THAT(result.err, HasSubstr("\\u001b]0;no such file: "));
    EXPECT_THAT(result.err, HasSubstr("1 of 5 files"));
    EXPECT_EQ(result.out.find_first_of("\x1b\x07\t"), std::string::npos) << result.out;
    EXPECT_THAT(result.out, testing::AllOf(HasSubstr("\\u001b[31mred"), HasSubstr("two\\nlines\\t"), HasSubstr("[a,b]"),
                                           HasSubstr("c,d")));
    EXPECT_EQ(result.err.find('\x1b'), std::string::npos) << result.err;
  }
}

TEST(Pipeline, AMovedFolderStillFindsItsBackbones) {
  const fs::path home = workspace().path("before"), moved = workspace().path("after");
  fs::create_directories(home);
  fs::copy(pipeline().sound, home / "sound", fs::copy_options::recursive);
  fs::copy(pipeline().visual, home / "visual", fs::copy_options::recursive);
  const std::string embeddings = (home / "all.safetensors").string();
  Pipeline::run("extract_embeddings",
                str("--backbone ", (home / "sound").string(), " --backbone ", (home / "visual").string(), " --cache ",
                    workspace().cache, " --out ", embeddings));
  Pipeline::run("train_fusion",
                str("--embeddings ", embeddings, " --method f4 --epochs 1 --out ", (home / "f4").string()));
  fs::rename(home, moved);
  const ProgramResult result =
      run_program("classify", str("--fusion ", (moved / "f4").string(), " ", workspace().clip(0, 0).string()));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  fs::remove_all(moved / "sound");
  const ProgramResult lost =
      run_program("classify", str("--fusion ", (moved / "f4").string(), " ", workspace().clip(0, 0).string()));
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.err, HasSubstr("backbone 'aud-mel'"));
}

TEST(Pipeline, EmbeddingsOfOtherClipsOrAnotherCheckpointAreRefused) {
  const std::string other_cache = workspace().path("other-cache"), other = workspace().path("other.safetensors");
  fs::copy(workspace().data, workspace().path("other-data"), fs::copy_options::recursive);
  fs::remove(fs::path(workspace().path("other-data")) / "bus/clip3.mp4");
  data::prepare(small_options(workspace().path("other-data"), other_cache));
  Pipeline::run("extract_embeddings",
                str("--backbone ", pipeline().visual, " --cache ", other_cache, " --out ", other));
  const ProgramResult mixed = run_program("train_fusion", str("--embeddings ", pipeline().embeddings, " --embeddings ",
                                                              other, " --method f4 --out ", workspace().path("mixed")));
  EXPECT_EQ(mixed.exit_code, 1);
  EXPECT_THAT(mixed.err, HasSubstr("hold different clips"));

  const std::string longer = workspace().path("longer"), retrained = workspace().path("retrained.safetensors");
  Pipeline::run("train_backbone", visual_flags() + " --epochs 1 --seed 5 --out " + longer);
  Pipeline::run("extract_embeddings", str("--backbone ", pipeline().sound, " --backbone ", longer, " --cache ",
                                          workspace().cache, " --out ", retrained));
  const ProgramResult stale = run_program("evaluate", str("--fusion ", pipeline().fusion, " --embeddings ", retrained));
  EXPECT_EQ(stale.exit_code, 1);
  EXPECT_THAT(stale.err, HasSubstr("another checkpoint"));
}

TEST(Pipeline, WeightsOfAnotherModelAreRefused) {
  const std::string out = " --epochs 1 --out " + workspace().path("weights");
  const ProgramResult other =
      run_program("train_backbone", visual_flags() + " --weights " + pipeline().sound + "/best.safetensors" + out);
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("is a checkpoint of"));
  for (const std::string& flags : {visual_flags(), sound_flags()}) {
    const ProgramResult stranger = run_program("train_backbone", flags + " --weights " + pipeline().embeddings + out);
    EXPECT_EQ(stranger.exit_code, 1);
    EXPECT_THAT(stranger.err, HasSubstr(pipeline().embeddings));
  }
}

TEST(Pipeline, ExitCodesTellUsageFromFailure) {
  const std::string out = " --out " + workspace().path("never");
  EXPECT_EQ(run_program("train_backbone", "--help").exit_code, 0);
  EXPECT_THAT(run_program("train_backbone", "--help").out, HasSubstr("Examples:"));
  EXPECT_EQ(run_program("evaluate", "--version").exit_code, 0);
  EXPECT_EQ(run_program("train_backbone", visual_flags() + out + " --no-such-flag").exit_code, 2);
  EXPECT_EQ(run_program("train_backbone", visual_flags() + out + " --batch 0").exit_code, 2);
  EXPECT_EQ(run_program("train_backbone", "--model vis-conv" + out).exit_code, 2);
  EXPECT_EQ(run_program("train_backbone", visual_flags() + out + " --augment specaugment").exit_code, 2);
  const ProgramResult half = run_program("train_backbone", visual_flags() + out + " --dtype bf16");
  EXPECT_EQ(half.exit_code, 2);
  EXPECT_THAT(half.err, HasSubstr("the CPU computes in f32"));
  EXPECT_EQ(run_program("train_backbone", "--model vis-conv --cache /nowhere" + out).exit_code, 1);
  EXPECT_EQ(run_program("evaluate", "--fusion x").exit_code, 2);
  EXPECT_EQ(run_program("classify", "--fusion /nowhere x.mp4").exit_code, 1);
  EXPECT_EQ(run_program("train_fusion", str("--embeddings ", pipeline().embeddings, " --method f7", out)).exit_code, 2);
  EXPECT_EQ(run_program("train_fusion", str("--embeddings ", pipeline().embeddings, " --method f4 --use vis-inc", out))
                .exit_code,
            2);
}

TEST(Pipeline, CudaIsAnsweredWhereItIsMissing) {
  const ProgramResult result =
      run_program("train_backbone", visual_flags() + " --device cuda --out " + workspace().path("cuda"));
  if (result.exit_code == 0) GTEST_SKIP() << "this build has a CUDA backend and found a GPU";
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(AVS_WITH_CUDA ? "no NVIDIA " : "this build has no CUDA backend"));
}

TEST(Pipeline, SpectrogramsOnAGpuAreAskedForBeforeAnythingIsWritten) {
  const std::string cache = workspace().path("on-gpu");
  const std::string flags = str("--data ", workspace().data, " --cache ", cache, " --kinds mel --workers 1");
  const ProgramResult result = run_program("prepare", flags + " --features-on cuda");
  if (result.exit_code == 0) GTEST_SKIP() << "this build has a CUDA backend and found a GPU";
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("--features-on cuda: "));
  EXPECT_THAT(result.err, HasSubstr("; --features-on cpu works"));
  EXPECT_FALSE(fs::exists(cache));
  EXPECT_EQ(run_program("prepare", flags + " --features-on gpu").exit_code, 2);
}

TEST(Pipeline, AMemoryLimitThatIsTooSmallSaysSo) {
  const ProgramResult result = run_program(
      "train_backbone", visual_flags() + " --epochs 1 --memory-limit 1MB --out " + workspace().path("little-memory"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("memory limit"));
}

}  // namespace
}  // namespace avs::test
