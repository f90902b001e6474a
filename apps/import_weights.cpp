// import_weights: converts a published weight file to our checkpoint format and reports every step.
extern "C" {
#include <libavutil/hash.h>
}

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/cli/program.h"
#include "apps/cli/weight_options.h"
#include "models/training/run_log.h"
#include "models/weights/bytes.h"
#include "models/weights/import.h"
#include "tensor/require.h"

namespace avs {
namespace {

struct Options {
  std::string model, in, out;
  WeightOptions weights;
  double width = 1.0;
  bool json = false;
};

// ---- digests, for comparison with the published ones ----

struct Digests {
  std::string md5, sha256;
};

std::string digest_of(const weights::Bytes& bytes, const char* algorithm) {
  AVHashContext* hash = nullptr;
  require<OutOfMemory>(av_hash_alloc(&hash, algorithm) >= 0, "libavutil cannot allocate its digest ", algorithm);
  av_hash_init(hash);
  av_hash_update(hash, bytes.data(), bytes.size());
  std::array<uint8_t, 2 * AV_HASH_MAX_SIZE + 1> hex{};
  av_hash_final_hex(hash, hex.data(), hex.size());
  av_hash_freep(&hash);
  return {hex.begin(), std::find(hex.begin(), hex.end(), uint8_t{0})};
}

Digests digests_of(const std::string& file) {
  const weights::Bytes bytes = weights::read_file(file);
  return {digest_of(bytes, "MD5"), digest_of(bytes, "SHA256")};
}

// ---- report ----

std::string_view name_of(PoolPadding padding) { return padding == PoolPadding::Counted ? "counted" : "ignored"; }

std::string to_json(const ImportReport& report, const Digests& digests, const Options& options) {
  return nlohmann::ordered_json{{"file", options.in},
                                {"layout", report.layout},
                                {"model", options.model},
                                {"network", report.model},
                                {"parameters", report.parameters},
                                {"classes", report.file_classes},
                                {"pool_padding", name_of(report.pool_padding)},
                                {"input", avs::name_of(report.input_scale)},
                                {"used", report.used},
                                {"skipped", report.skipped},
                                {"defaults", report.defaults},
                                {"notes", report.notes},
                                {"md5", digests.md5},
                                {"sha256", digests.sha256},
                                {"out", options.out}}
      .dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

void print_list(const char* title, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) std::cout << title << line << "\n";
}

void print_report(const ImportReport& report, const Digests& digests, const Options& options) {
  std::cout << "file        " << options.in << "\n"
            << "md5         " << digests.md5 << "\n"
            << "sha256      " << digests.sha256 << "\n"
            << "layout      " << report.layout << "\n"
            << "network     " << report.model
            << (report.file_classes > 0 ? fmt::format(", with a classifier of {} classes", report.file_classes)
                                        : ", without top")
            << "\n"
            << fmt::format("tensors     {} used, {} skipped\n", report.used.size(), report.skipped.size())
            << fmt::format("parameters  {} (statistics included)\n", report.parameters);
  if (options.model == "vis-inc") std::cout << "pools       padding " << name_of(report.pool_padding) << "\n";
  std::cout << "input       " << avs::name_of(report.input_scale) << "\n";
  print_list("skipped     ", by_reason(report.skipped));
  print_list("default     ", report.defaults);
  print_list("note        ", report.notes);
  std::cout << "written     " << options.out << "\n";
}

void run(const Options& options) {
  require<UsageError>(modality_of(options.model) == Modality::Frames, options.model,
                      " listens; weights are imported into vis-inc and vis-conv");
  std::error_code ignored;
  require<UsageError>(!std::filesystem::equivalent(options.in, options.out, ignored), "--out ", options.out,
                      " is the weight file itself, which would be lost; choose another name");
  const RunClock importing;
  ImportReport report;
  const BackboneOptions base{.model = options.model, .width = options.width};
  const std::unique_ptr<Backbone> network =
      make_backbone_from_weights(base, options.in, options.weights.import(), &report);
  const double imported = importing.seconds();
  const RunClock digesting;
  const Digests digests = digests_of(options.in);
  const double digested = digesting.seconds();
  const RunClock writing;
  Checkpoint checkpoint;
  store_parameters(*network, checkpoint);
  checkpoint.metadata = {{kBackboneKey, to_json(network->options())},
                         {"imported_from", report.layout},
                         {"imported_sha256", digests.sha256},
                         {"versions", library_versions()}};
  if (!report.head_taken) checkpoint.metadata[kUntrainedHeadKey] = "the file has no classifier";
  checkpoint.save(options.out);
  spdlog::info("imported in {:.2f} s, digests in {:.2f} s, written in {:.2f} s", imported, digested, writing.seconds());
  if (options.json)
    std::cout << to_json(report, digests, options) << "\n";
  else
    print_report(report, digests, options);
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Options options;
  avs::Program program(
      "import_weights", "A published weight file becomes a checkpoint of ours, and says what was done with it",
      "import_weights --model vis-inc --in inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 --out "
      "inception.safetensors\n"
      "import_weights --model vis-conv --in convnext_tiny.fb_in1k/model.safetensors --out convnext.safetensors --json\n"
      "import_weights --model vis-inc --in inception_v3.gluon_in1k.safetensors --input-scale imagenet --out "
      "gluon.safetensors");
  avs::Flags& flags = program.flags();
  flags.add("--model", options.model, "vis-inc or vis-conv").required();
  flags.add("--in", options.in, "Keras' .h5, .weights.h5 or .keras; PyTorch's .pth or .pt; safetensors").required();
  flags.add("--out", options.out, "the checkpoint to write, FILE.safetensors").required();
  avs::add_weight_options(flags, options.weights);
  flags.add("--width", options.width, "width multiplier of the network in the file").shows_default();
  flags.add("--json", options.json, "everything as JSON: layout, every tensor used and skipped, digests");
  return program.run(argc, argv, [&] { avs::run(options); });
}
