#include "tests/faults/harness/scenarios.h"

#include <algorithm>
#include <sstream>

#include "tensor/error.h"
#include "tests/models/data/small_data.h"
#include "tests/models/weights/golden.h"

namespace avs::faults {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNetwork = " --width 0.03 --batch 4 --lr 1e-3 --log-steps 1 --threads 1 --cache cache ";

const std::string kTraining =
    str("train_backbone --model vis-conv --image-size 75 --epochs 2 --checkpoint-steps 1 --workers 2 --ema 0.9 "
        "--augment flip --resume --out run",
        kNetwork);

std::vector<std::string> stage_commands() {
  std::vector<std::string> commands = {
      "prepare --data data --cache cache --kinds mel --image-size 75 --workers 1",
      str("train_backbone --model aud-mel --epochs 1 --out runs/aud-mel", kNetwork),
      str("train_backbone --model vis-conv --image-size 75 --epochs 1 --out runs/vis-conv", kNetwork),
      "extract_embeddings --backbone runs/aud-mel --backbone runs/vis-conv --cache cache --threads 1 --out "
      "embeddings.safetensors"};
  const std::string fusion = "train_fusion --embeddings embeddings.safetensors --epochs 2 --threads 1 ";
  for (const std::string method : {"f1", "f2", "f3", "f4", "f5", "f6"})
    commands.push_back(str(fusion, "--method ", method, " --out runs/", method));
  commands.push_back(fusion + "--method f4 --use aud-mel --out runs/audio");
  commands.push_back(fusion + "--method f4 --use vis-conv --out runs/visual");
  return commands;
}

// Two classes, each with three training clips, one for validation and one for test; and six of them as a DCASE data
// set.
void write_sources(const fs::path& folder) {
  std::string tables[2];
  for (std::string& table : tables) table = "filename_audio\tfilename_video\tscene_label\n";
  for (const int label : {0, 1}) {
    const std::string name = label == 0 ? "bus" : "tram";
    for (const int i : {0, 1, 2, 3, 4}) {
      const std::string split = i < 3 ? "train/" : i == 3 ? "val/" : "test/";
      test::write_clip(folder / "data" / (split + name) / str("clip", i, ".mp4"), 8 * label + i, 1.1);
    }
    for (const int i : {0, 1, 2}) {
      const std::string stem = str(name, "-paris-", i, "-0"), audio = "audio/" + stem + ".mp4",
                        video = "video/" + stem + ".mp4";
      test::write_clip(folder / "dcase" / audio, 8 * label + i, 1.1, test::Holds::SoundOnly);
      test::write_clip(folder / "dcase" / video, 8 * label + i, 1.1, test::Holds::PictureOnly);
      tables[i == 2 ? 1 : 0] += audio + "\t" + video + "\t" + name + "\n";
    }
  }
  test::write_clip(folder / "spare/short.mp4", 5, 0.6);
  test::write_text(folder / "dcase/evaluation_setup/fold1_train.csv", tables[0]);
  test::write_text(folder / "dcase/evaluation_setup/fold1_evaluate.csv", tables[1]);
}

void write_weights(const fs::path& folder) {
  fs::create_directories(folder / "weights");
  for (const char* const name : {"convnext_keras_legacy_top.h5", "convnext_torchvision.pth", "expected.safetensors"})
    fs::copy_file(golden::file(name), folder / "weights" / name);
}

void must_run(const Workplace& place, const std::string& command) {
  const Ending ending = run(place, command);
  if (!ending.done()) throw Error(str(command, "\nended with ", ending.code, " ", ending.signal, ":\n", ending.err));
}

void take_step(const Workplace& place, const std::string& step) {
  std::istringstream in(step);
  std::string word, from, to;
  in >> word >> from >> to;
  if (word == "cp")
    fs::copy_file(place.folder / from, place.folder / to, fs::copy_options::overwrite_existing);
  else if (word == "rm")
    fs::remove_all(place.folder / from);
  else if (word == "write")
    test::write_text(place.folder / from, "a user's own file\n");
  else
    must_run(place, step);
}

// ---- the table --------------------------------------------------------------

const std::string kFusion = "train_fusion --embeddings embeddings.safetensors --threads 1 ";
const std::string kEvaluate = "evaluate --fusion runs/f4 --embeddings embeddings.safetensors ";
const std::string kFromData = "prepare --data data --cache cache --image-size 75 --kinds none --workers 1";
const std::string kDemoData =
    "make_demo_data --out made --train-clips 1 --validation-clips 1 --test-clips 1 --seconds 0.5 --threads 1";

const std::vector<Scenario> kScenarios = {
    {.name = "make_demo_data",
     .command = kDemoData,
     .results = {"made/"},
     .earlier = {kDemoData, "rm made/options.txt", "rm made/train/aviary", "rm made/val/beach", "rm made/test/woodland",
                 "write made/mine.txt"}},
    {.name = "prepare",
     .command = "prepare --data dcase --cache new --kinds mel --image-size 75 --workers 2",
     .needs = {"dcase/"},
     .results = {"new/"},
     .tells = ", 1 skipped",
     .earlier = {"write new/mine.txt"}},
    {.name = "prepare, other sources",
     .command = kFromData,
     .needs = {"data/", "runs/vis-conv/", "spare/"},
     .results = {"cache/"},
     .tells = ", 1 skipped",
     .earlier = {kFromData, "cp spare/short.mp4 data/test/bus/clip4.mp4",
                 "cp data/train/tram/clip0.mp4 data/train/bus/clip0.mp4", "write cache/entries/mine.txt"},
     .reader = "evaluate --backbone runs/vis-conv --cache cache --threads 1"},
    {.name = "train_backbone", .command = kTraining, .needs = {"cache/"}, .results = {"run/"}},
    {.name = "train_backbone, more epochs",
     .command = kTraining + " --epochs 3",
     .needs = {"cache/"},
     .results = {"run/"},
     .earlier = {kTraining, "write run/mine.txt"}},
    {.name = "extract_embeddings",
     .command = "extract_embeddings --backbone runs/aud-mel --backbone runs/vis-conv --cache cache --threads 1 --out "
                "out.safetensors",
     .needs = {"cache/", "runs/aud-mel/", "runs/vis-conv/"},
     .results = {"out.safetensors", "out.safetensors.partial/"},
     .earlier = {"extract_embeddings --backbone runs/vis-conv --cache cache --threads 1 --out out.safetensors",
                 "write out.safetensors.partial/mine.txt"}},
    {.name = "train_fusion",
     .command = kFusion + "--method f4 --epochs 3 --overwrite --out run",
     .needs = {"embeddings.safetensors"},
     .results = {"run/"},
     .earlier = {kFusion + "--method f6 --epochs 2 --out run", "write run/mine.txt"},
     .reader = "evaluate --fusion run --embeddings embeddings.safetensors"},
    {.name = "evaluate",
     .command = kEvaluate + "--json e.json --report e.html --submission e.csv",
     .needs = {"embeddings.safetensors", "runs/f4/"},
     .results = {"e.json", "e.html", "e.csv"},
     .prints_result = true,
     .earlier = {kEvaluate + "--split train --json e.json --report e.html --submission e.csv"}},
    {.name = "evaluate, a backbone",
     .command = "evaluate --backbone runs/vis-conv --cache cache --threads 1 --json e.json",
     .needs = {"cache/", "runs/vis-conv/"},
     .results = {"e.json"},
     .prints_result = true},
    {.name = "classify",
     .command = "classify --fusion runs/f4 --threads 1 data/test/bus/clip4.mp4",
     .needs = {"data/", "runs/f4/", "runs/aud-mel/", "runs/vis-conv/"},
     .prints_result = true},
    {.name = "classify_image",
     .command = "classify_image --weights weights/convnext_keras_legacy_top.h5 --width 0.01 --size 75 --threads 1 "
                "data/test/bus/clip4.mp4",
     .needs = {"data/", "weights/"},
     .prints_result = true},
    {.name = "extract_features",
     .command = "extract_features --kind mel --in data/test/bus/clip4.mp4 --out mel.safetensors --png mel.png",
     .needs = {"data/"},
     .results = {"mel.safetensors", "mel.png"},
     .prints_result = true,
     .earlier = {"extract_features --kind mel --in data/test/tram/clip4.mp4 --out mel.safetensors --png mel.png"}},
    {.name = "import_weights, .h5",
     .command = "import_weights --model vis-conv --width 0.01 --in weights/convnext_keras_legacy_top.h5 --out "
                "w.safetensors",
     .needs = {"weights/"},
     .results = {"w.safetensors"},
     .prints_result = true},
    {.name = "import_weights, .pth",
     .command =
         "import_weights --model vis-conv --width 0.01 --in weights/convnext_torchvision.pth --out w.safetensors",
     .needs = {"weights/"},
     .results = {"w.safetensors"},
     .prints_result = true,
     .earlier = {"cp weights/expected.safetensors w.safetensors"}},
    {.name = "run_model",
     .command = "run_model --model vis-conv --weights runs/vis-conv/best.safetensors --input "
                "weights/expected.safetensors --output y.safetensors --threads 1",
     .needs = {"weights/", "runs/vis-conv/"},
     .results = {"y.safetensors"}},
    {.name = "inspect_checkpoint",
     .command = "inspect_checkpoint runs/vis-conv",
     .needs = {"runs/vis-conv/"},
     .prints_result = true},
    {.name = "memory_plan",
     .command = "memory_plan --model vis-conv --width 0.03 --image-size 75 --batch 1,2 --threads 1 --json plan.json",
     .results = {"plan.json"},
     .prints_result = true},
    {.name = "demo_report",
     .command = "demo_report --out . --seconds 1",
     .needs = {"cache/", "data/", "embeddings.safetensors", "runs/"},
     .results = {"results.json", "report.html"},
     .prints_result = true,
     .earlier = {"prepare --data data --cache cache --image-size 75 --workers 1"}},
};

}  // namespace

const std::vector<Scenario>& scenarios() { return kScenarios; }

Tree make_stage(const Workplace& place) {
  restore(place.folder, {});
  write_sources(place.folder);
  write_weights(place.folder);
  for (const std::string& command : stage_commands()) must_run(place, command);
  return capture(place.folder);
}

Prepared prepare_scenario(const Workplace& place, const Tree& stage, const Scenario& scenario) {
  Prepared prepared;
  prepared.scenario = &scenario;
  const auto is_needed = [&](const std::string& path) {
    return std::ranges::any_of(scenario.needs, [&](const std::string& need) {
      return path == need || (need.ends_with('/') && path.starts_with(need)) ||
             (path.ends_with('/') && need.starts_with(path));
    });
  };
  Tree start;
  for (const auto& [path, node] : stage)
    if (is_needed(path)) start[path] = node;
  restore(place.folder, start);
  for (const std::string& step : scenario.earlier) take_step(place, step);
  prepared.before = capture(place.folder);
  const auto read = [&](std::string& answer) {
    if (!scenario.reader.empty()) answer = run(place, scenario.reader).out;
    restore(place.folder, prepared.before);
  };
  read(prepared.read_before);
  const Ending ending = run(place, scenario.command, Injection{.action = Action::List});
  if (!ending.done())
    throw Error(str(scenario.command, "\nended undisturbed with ", ending.code, " ", ending.signal, ":\n", ending.err));
  prepared.after = capture(place.folder);
  prepared.out = ending.out;
  prepared.calls = ending.log;
  if (!scenario.reader.empty()) prepared.read_after = run(place, scenario.reader).out;
  return prepared;
}

}  // namespace avs::faults
