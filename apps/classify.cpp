// classify: recognises the scenes of videos.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/cli/compute_options.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "apps/train/classifier.h"
#include "models/printable.h"

namespace avs {
namespace {

struct Arguments {
  std::string fusion;
  std::vector<std::string> files;
  double segment_seconds = 0;
  bool json = false;
  std::string features_on = "cpu", decode_on = "cpu";
  ComputeOptions compute;
};

void add_flags(Flags& flags, Arguments& a) {
  flags.add("--fusion", a.fusion, "a RUN of train_fusion; its backbones are found through it").required();
  flags.add("--json", a.json, "one JSON object a line instead of text");
  flags
      .add("--segments", a.segment_seconds, "answer for each so many seconds of the first hour; else for the first ten")
      .within(0.5, 3600.0);
  flags.add("VIDEO", a.files, "files to classify").required();
  add_features_option(flags, a.features_on);
  add_decoder_option(flags, a.decode_on);
  add_compute_options(flags, a.compute);
}

std::vector<size_t> by_probability(const std::vector<float>& probabilities) {
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  return order;
}

std::string text_of(const ClassAnswer& answer, const std::vector<std::string>& classes) {
  std::string text;
  const std::vector<size_t> order = by_probability(answer.probabilities);
  for (size_t i = 0; i < std::min<size_t>(3, order.size()); ++i)
    text += fmt::format("{}{} {:.1f} %", i == 0 ? "" : ", ", printable(classes[order[i]]),
                        100.0 * static_cast<double>(answer.probabilities[order[i]]));
  return text;
}

nlohmann::ordered_json json_of(const ClassAnswer& answer, const std::vector<std::string>& classes) {
  nlohmann::ordered_json json{{"label", classes[by_probability(answer.probabilities).front()]}};
  for (size_t i = 0; i < classes.size(); ++i) json["probabilities"][classes[i]] = answer.probabilities[i];
  return json;
}

void print_json(const std::string& file, const ClassAnswers& answers, const std::vector<std::string>& classes,
                const Arguments& a) {
  nlohmann::ordered_json json{{"file", file}};
  if (a.segment_seconds == 0) {
    json.update(json_of(answers.answers.front(), classes));
  } else {
    for (const ClassAnswer& answer : answers.answers) {
      nlohmann::ordered_json segment{{"from_seconds", answer.first_second}, {"to_seconds", answer.last_second}};
      segment.update(json_of(answer, classes));
      json["segments"].push_back(std::move(segment));
    }
  }
  if (!answers.left_out.empty()) json["left_out"] = answers.left_out;
  std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

void print_text(const std::string& file, const ClassAnswers& answers, const std::vector<std::string>& classes,
                const Arguments& a) {
  const std::string name = printable(file);
  for (const ClassAnswer& answer : answers.answers) {
    std::cout << name;
    if (a.segment_seconds != 0) std::cout << fmt::format(" {:.1f}-{:.1f} s", answer.first_second, answer.last_second);
    std::cout << ": " << text_of(answer, classes) << '\n';
  }
  for (const std::string& part : answers.left_out) std::cout << name << ": left out: " << part << '\n';
  std::cout.flush();
}

// Prints the answers for one file; logs an error and returns false on failure, so that other files are still processed.
bool answer(Classifier& classifier, const std::string& file, const Arguments& a) {
  try {
    const ClassAnswers answers =
        a.segment_seconds == 0 ? classifier.classify(file) : classifier.classify_segments(file, a.segment_seconds);
    (a.json ? print_json : print_text)(file, answers, classifier.classes(), a);
    if (!answers.note.empty()) spdlog::warn("{}: {}", file, answers.note);
    return true;
  } catch (const Interrupted&) {
    throw;
  } catch (const DeviceError&) {
    throw;
  } catch (const std::exception& error) {
    const std::string message = error.what();
    spdlog::error("{}", message.find(file) == std::string::npos ? file + ": " + message : message);
  }
  return false;
}

void run(const Arguments& a) {
  const Placement placement = use_device(a.compute);
  Classifier classifier(a.fusion, placement, {features_device(a.features_on), video_decoder(a.decode_on)});
  const InterruptSignals signals;
  size_t failed = 0;
  for (const std::string& file : a.files) {
    stop_if_interrupted();
    if (!answer(classifier, file, a)) ++failed;
  }
  if (failed > 0) throw Error(str(failed, " of ", a.files.size(), " files could not be classified"));
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("classify", "Says which scene a video shows, by its sound and its pictures.",
                       "classify --fusion runs/f4 holiday.mp4\n"
                       "classify --fusion runs/f4 --json *.mp4\n"
                       "classify --fusion runs/f4 --segments 10 walk.mp4");
  avs::Arguments arguments;
  avs::add_flags(program.flags(), arguments);
  return program.run(argc, argv, [&] { avs::run(arguments); });
}
