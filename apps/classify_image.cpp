// classify_image: classifies pictures and videos with an ImageNet classifier: a published weight file, unmodified, or a
// checkpoint of one of our image networks.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "apps/cli/compute_options.h"
#include "apps/cli/program.h"
#include "apps/cli/weight_options.h"
#include "models/file.h"
#include "models/printable.h"
#include "models/training/predict.h"
#include "models/weights/imagenet_names.h"
#include "models/weights/import.h"
#include "tensor/require.h"
#include "vision/frames.h"

namespace avs {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string weights, model, names;
  std::optional<int64_t> size;
  int64_t top = 5;
  double width = 1.0;
  bool json = false;
  WeightOptions published;
  ComputeOptions compute;
};

// The class names in a checkpoint of our own training.
std::vector<std::string> names_in_checkpoint(const std::string& file) {
  try {
    const std::map<std::string, std::string> metadata = Checkpoint::load_metadata(file);
    const auto classes = metadata.find("classes");
    if (classes == metadata.end()) return {};
    return nlohmann::json::parse(classes->second).get<std::vector<std::string>>();
  } catch (const DataError&) {
    return {};  // another library's file
  } catch (const nlohmann::json::exception&) {
    return {};
  }
}

std::vector<std::string> class_names(const Options& options, int64_t classes) {
  std::vector<std::string> names =
      options.names.empty() ? names_in_checkpoint(options.weights) : lines_of(read_text(options.names));
  std::erase(names, "");
  if (names.empty() && classes == static_cast<int64_t>(imagenet_names().size())) names = imagenet_names();
  if (names.empty())
    for (int64_t i = 0; i < classes; ++i) names.push_back(str("class ", i));
  if (static_cast<int64_t>(names.size()) != classes)
    throw DataError(str(options.names.empty() ? options.weights : options.names, ": ", names.size(), " names for ",
                        classes, " classes"));
  return names;
}

// The mean over all frames of softmax over the classes.
std::vector<double> probabilities(Backbone& network, const Tensor& frames) {
  const NoGrad no_grad;
  const Tensor logits = network.run(frames).logits.value();
  const int64_t count = logits.shape()[0], classes = logits.shape()[1];
  const std::vector<float> values = logits.to_vector();
  std::vector<double> mean(static_cast<size_t>(classes), 0.0);
  for (int64_t n = 0; n < count; ++n) {
    const float* const row = values.data() + n * classes;
    const double highest = *std::max_element(row, row + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - highest);
    for (int64_t c = 0; c < classes; ++c)
      mean[static_cast<size_t>(c)] += std::exp(row[c] - highest) / sum / static_cast<double>(count);
  }
  return mean;
}

std::vector<size_t> best_of(const std::vector<double>& values, int64_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto kept = std::min(order.size(), static_cast<size_t>(count));
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(kept), order.end(),
                    [&](size_t a, size_t b) { return values[a] > values[b] || (values[a] == values[b] && a < b); });
  order.resize(kept);
  return order;
}

std::unique_ptr<Backbone> classifier_of(const Options& options) {
  ImportReport report;
  std::unique_ptr<Backbone> network = make_backbone_from_weights({.model = options.model, .width = options.width},
                                                                 options.weights, options.published.import(), &report);
  if (is_sound(network->modality())) throw DataError(options.weights + ": is a network for sound");
  require<DataError>(
      report.head_taken, options.weights,
      ": has no classifier on the pooled features (it is a file without top, or with a head of its own)");
  return network;
}

void run(const Options& options) {
  const Placement placement = use_device(options.compute);
  const std::unique_ptr<Backbone> network = classifier_of(options);
  place(*network, placement);
  const std::vector<std::string> names = class_names(options, network->options().classes);
  const bool published = network->options().head == HeadKind::Direct;
  const int64_t usual_size = published && network->options().model == "vis-inc" ? 299 : network->options().image_size;
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  size_t unreadable = 0;
  for (const std::string& file : options.files) {
    try {
      const std::optional<Frames> frames = sample_frames(file, {.image_size = options.size.value_or(usual_size)});
      if (!frames) throw DataError(file + ": has no picture");
      const std::vector<double> values = probabilities(*network, frames->pixels);
      nlohmann::ordered_json top = nlohmann::ordered_json::array();
      if (!options.json) std::cout << printable(file) << "\n";
      for (const size_t c : best_of(values, options.top)) {
        top.push_back({{"class", c}, {"name", names[c]}, {"probability", values[c]}});
        if (!options.json) std::cout << fmt::format("  {:6.2f} %  {}\n", 100 * values[c], printable(names[c]));
      }
      results.push_back({{"file", file}, {"frames", frames->pixels.shape()[0]}, {"top", top}});
    } catch (const DeviceError&) {
      throw;
    } catch (const std::exception& error) {  // continue with the other files
      const std::string message = error.what();
      const std::string line =
          message_for_people(message.find(file) == std::string::npos ? file + ": " + message : message);
      spdlog::error("{}", line);
      results.push_back({{"file", file}, {"error", line}});
      ++unreadable;
    }
  }
  if (options.json) std::cout << results.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  require<DataError>(unreadable == 0, unreadable, " of ", options.files.size(), " files could not be read");
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Options options;
  avs::Program program("classify_image", "What an ImageNet classifier sees in pictures and videos",
                       "classify_image cat.jpg dog.png --weights inception_v3_weights_tf_dim_ordering_tf_kernels.h5\n"
                       "classify_image clip.mp4 --weights convnext_tiny.fb_in1k/model.safetensors --json\n"
                       "classify_image *.jpg --weights runs/vis-inc/best.safetensors --top 1");
  avs::Flags& flags = program.flags();
  flags.add("files", options.files, "pictures, or videos: the mean over their frames").required();
  flags
      .add("--weights", options.weights,
           "a published weight file with its classifier (docs/weights.md), or a checkpoint")
      .required();
  flags.add("--model", options.model, "refuse the file unless it holds this: vis-inc or vis-conv");
  flags.add("--names", options.names,
            "a file with one class name a line; else the checkpoint's, or ImageNet's for 1000 classes");
  flags
      .add("--size", options.size,
           "pixels on each side; else 299 for a published InceptionV3, 224 for ConvNeXt, a checkpoint's own")
      .within(75, 512);
  flags.add("--top", options.top, "how many classes to print").positive().shows_default();
  flags.add("--width", options.width, "width multiplier of the network in a foreign file").shows_default();
  flags.add("--json", options.json, "as JSON");
  avs::add_weight_options(flags, options.published);
  avs::add_compute_options(flags, options.compute);
  return program.run(argc, argv, [&] { avs::run(options); });
}
