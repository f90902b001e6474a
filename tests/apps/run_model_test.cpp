#include "tests/apps/run_program.h"
#include "tests/models/small_backbones.h"
#include "tests/models/temporary_directory.h"

namespace avs {
namespace {

using testing::HasSubstr;

class RunModel : public testing::Test {
 protected:
  // Makes a network of the model, its checkpoint, and an input of three samples.
  void prepare(const std::string& model) {
    options_ = small_options(model);
    options_.classes = 4;
    net_ = make_backbone(options_);
    net_->eval();
    Checkpoint weights;
    weights.metadata[kBackboneKey] = to_json(options_);
    store_parameters(*net_, weights);
    weights.save(file("net"));
    x_ = random_input(small_input(model, 3), 5);
    write_input(x_);
  }
  void write_input(const Tensor& x, const std::string& name = "x") {
    Checkpoint input;
    input.tensors[name] = x;
    input.save(file("in"));
  }
  std::string file(const std::string& name) const { return (directory_.path() / (name + ".safetensors")).string(); }
  ProgramResult run(const std::string& model, const std::string& more = "") const {
    return run_program("run_model", str("--model ", model, " --weights ", file("net"), " --input ", file("in"),
                                        " --output ", file("out"), " --threads 1 ", more));
  }

  TemporaryDirectory directory_;
  BackboneOptions options_;
  std::unique_ptr<Backbone> net_;
  Tensor x_;
};

TEST_F(RunModel, WritesWhatTheNetworkComputesAtEachPlace) {
  for (const std::string& model : backbone_names()) {
    prepare(model);
    const NoGrad no_grad;
    const BackboneOutput expected = net_->run(x_);
    for (const auto& [at, value] : {std::pair{"pool", expected.pool},
                                    {"fc1024", expected.fc1024},
                                    {"logits", expected.logits},
                                    {"fc10", expected.logits}}) {
      const ProgramResult result = run(model, str("--at ", at));
      ASSERT_EQ(result.exit_code, 0) << result.err;
      EXPECT_EQ(result.out, "");
      const Tensor y = Checkpoint::load(file("out")).tensors.at("y");
      EXPECT_EQ(y.shape(), value.shape());
      EXPECT_LT(relative_error(to_double(y), to_double(value.value())), 1e-5) << model << " " << at;
    }
  }
}

TEST_F(RunModel, CutsManySamplesIntoBatches) {
  prepare("vis-conv");
  ASSERT_EQ(run("vis-conv", "--batch 2").exit_code, 0);
  const Tensor y = Checkpoint::load(file("out")).tensors.at("y");
  const NoGrad no_grad;
  EXPECT_LT(relative_error(to_double(y), to_double(net_->run(x_).logits.value())), 1e-5);
}

TEST_F(RunModel, SaysInOneLineWhatIsWrong) {
  prepare("vis-conv");
  const auto expect = [&](const ProgramResult& result, int code, const std::string& words) {
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(words));
  };
  expect(run("resnet"), 2, "the models are aud-mel");
  expect(run("vis-inc"), 2, "holds vis-conv, not vis-inc");
  expect(run("vis-conv", "--width 0.5"), 2, "holds a network of width 0.25, not 0.5");
  expect(run("vis-conv", "--at fc7"), 2, "fc7");
  write_input(Tensor::zeros({1, 16, 16, 3}));
  expect(run("vis-conv"), 1, "h and w at least 32");
  write_input(Tensor::zeros({7}));
  expect(run("vis-conv"), 1, "x must be [n, h, w, c], got [7]");
  write_input(x_, "y");
  expect(run("vis-conv"), 1, "holds no tensor named x");
  std::filesystem::resize_file(file("net"), 1000);
  expect(run("vis-conv"), 1, "net.safetensors");
}

}  // namespace
}  // namespace avs
