// Training that starts from weights: frozen parts, per-layer rates, refused files, bit-identical resume.
#include <cmath>

#include "models/backbone.h"
#include "tests/apps/training_workspace.h"

namespace avs::test {
namespace {

using testing::HasSubstr;

// A small InceptionV3 of five classes (its head is not loaded), with statistics other than 0 and 1.
const std::string& body_file() {
  static const std::string file = [] {
    const auto net = make_backbone({.model = "vis-inc", .classes = 5, .width = 0.05, .image_size = 75, .seed = 4});
    for (Buffer* buffer : net->buffers()) buffer->value.fill(buffer->path.ends_with("mean") ? 0.1f : 0.8f);
    Checkpoint checkpoint;
    store_parameters(*net, checkpoint);
    checkpoint.metadata[kBackboneKey] = to_json(net->options());
    const std::string path = workspace().path("body.safetensors");
    checkpoint.save(path);
    return path;
  }();
  return file;
}

std::string flags(const std::string& weights = body_file()) {
  return str("--model vis-inc --width 0.05 --image-size 75 --batch 8 --log-steps 1 --threads 1 --cache ",
             workspace().cache, " --weights ", weights);
}

ProgramResult train(const std::string& arguments) { return run_program("train_backbone", arguments); }

// The largest change of a value under `prefix`, from the file to a checkpoint of the run.
double change(const std::string& run, const std::string& prefix, const std::string& file = body_file()) {
  const Checkpoint before = Checkpoint::load(file), after = Checkpoint::load(run + "/last.safetensors");
  double largest = -1;
  for (const auto& [path, tensor] : before.tensors) {
    if (!path.starts_with(prefix)) continue;
    const std::vector<float> a = tensor.to_vector(), b = after.tensors.at(path).to_vector();
    for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(double{a[i]} - b[i]));
  }
  EXPECT_GE(largest, 0) << "no tensor of " << prefix;
  return largest;
}

TEST(FineTune, FrozenStagesKeepWeightsAndStatisticsAndTheOthersLearn) {
  const std::string run = workspace().path("frozen");
  const ProgramResult result = train(flags() + " --epochs 1 --freeze mixed2 --out " + run);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("behind mixed2"));
  for (const char* stage : {"stem.", "mixed0.", "mixed1.", "mixed2."}) EXPECT_EQ(change(run, stage), 0) << stage;
  for (const char* stage : {"mixed3.", "mixed10."}) EXPECT_GT(change(run, stage), 1e-5) << stage;
}

TEST(FineTune, ImportedLayersLearnAtTheirShareOfTheRateAndTheNewHeadAtAll) {
  const std::string slow = workspace().path("slow"), fast = workspace().path("fast");
  ASSERT_EQ(train(flags() + " --epochs 1 --l2 0 --imported-lr 1e-4 --out " + slow).exit_code, 0);
  ASSERT_EQ(train(flags() + " --epochs 1 --l2 0 --imported-lr 1 --out " + fast).exit_code, 0);
  const std::string filter = "mixed5.branch1x1.0.conv.weight";
  EXPECT_LT(change(slow, filter), 1e-3 * change(fast, filter));
  EXPECT_GT(change(slow, filter), 0);
  // both heads start equal and move by about rate * steps
  EXPECT_LT(change(slow, "head.fc1024.weight", fast + "/last.safetensors"), 0.02);
  EXPECT_GT(change(slow, "head.fc1024.weight", fast + "/last.safetensors"), 0);
}

TEST(FineTune, AKilledRunEndsWithTheSameBytesWithoutTheWeightFile) {
  const std::string more = " --epochs 2 --freeze stem --ema 0.9 --out ";
  const std::string whole = workspace().path("ft-whole"), killed = workspace().path("ft-killed");
  const std::string passing = workspace().path("passing.safetensors");
  fs::copy_file(body_file(), passing);
  const double seconds = seconds_of([&] { ASSERT_EQ(train(flags(passing) + more + whole).exit_code, 0); });
  const std::string log = workspace().path("ft.log");
  {
    const RunningProgram program("train_backbone", flags(passing) + " --checkpoint-steps 1" + more + killed, log);
    for (int i = 0; i < 2000 && !fs::exists(killed + "/last.safetensors"); ++i) sleep_seconds(0.01);
    sleep_seconds(0.3 * seconds);
    program.send(SIGKILL);
    program.wait();
  }
  fs::remove(passing);
  const ProgramResult result = train("--resume --out " + killed);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(bytes_of(whole + "/best.safetensors") == bytes_of(killed + "/best.safetensors"));
  EXPECT_TRUE(bytes_of(whole + "/last.safetensors") == bytes_of(killed + "/last.safetensors"));
}

TEST(FineTune, HasDefaultsOfItsOwnAndGivenFlagsWin) {
  const auto config_of = [](const std::string& name, const std::string& arguments) {
    const std::string run = workspace().path(name);
    const ProgramResult result = train(arguments + " --epochs 1 --out " + run);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return bytes_of(run + "/config.toml");
  };
  const std::string fine = config_of("defaults", flags());
  for (const char* line : {"\nlr = 0.001\n", "\nimported-lr = 0.1\n", "\nschedule = \"cosine\"\n", "\nfreeze = \"\"\n"})
    EXPECT_THAT(fine, HasSubstr(line));
  const std::string given = config_of("given", flags() + " --lr 2e-4 --imported-lr 0.5 --schedule one-cycle");
  for (const char* line : {"\nlr = 0.0002\n", "\nimported-lr = 0.5\n", "\nschedule = \"one-cycle\"\n"})
    EXPECT_THAT(given, HasSubstr(line));
  const std::string random = config_of("random", visual_flags() + " --lr 1e-4");
  for (const char* line : {"\nimported-lr = 1\n", "\nschedule = \"constant\"\n"}) EXPECT_THAT(random, HasSubstr(line));
}

TEST(FineTune, SaysInOneMessageWhatIsWrong) {
  const std::string run = workspace().path("refused");
  const auto expect = [&](const std::string& arguments, int code, const std::string& words) {
    const ProgramResult result = train(arguments + " --out " + run);
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(words));
    EXPECT_FALSE(fs::exists(run + "/last.safetensors"));
  };
  expect(flags() + " --freeze mixed11", 2, "its stages are stem, mixed0, mixed1");
  expect(visual_flags() + " --freeze stage1", 2, "no --weights");
  expect(visual_flags() + " --imported-lr 0.1", 2, "no --weights");
  expect(flags() + " --imported-lr 0", 2, "--freeze");
  expect(str("--model vis-conv --cache ", workspace().cache, " --weights ", body_file()), 1,
         "is a checkpoint of vis-inc");
  // errors before the data set is read
  expect("--model vis-inc --data /nowhere --weights " + workspace().path("absent.h5"), 1, "absent.h5");
  const std::string page = workspace().path("page.h5");
  std::ofstream(page) << "<!doctype html><title>Sign in</title>";
  expect("--model vis-inc --data /nowhere --weights " + page, 1, "is a web page (\"Sign in\")");
}

}  // namespace
}  // namespace avs::test
