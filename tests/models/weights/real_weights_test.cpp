// Real ImageNet weights on real pictures: InceptionV3's features separate kinds of places much better than random
// weights do.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <map>

#include "models/weights/import.h"
#include "tests/models/weights/golden.h"
#include "vision/frames.h"

namespace avs {
namespace {

namespace fs = std::filesystem;

fs::path data_folder() {
  const char* const given = std::getenv("AVS_DATA");
  return given != nullptr ? fs::path(given) : fs::path(AVS_SOURCE_DIR).parent_path() / "shared/data";
}

struct Clip {
  fs::path video;
  std::string label;
};

// The first `per_class` clips of each class in a table with columns filename_audio, filename_video, scene_label.
std::vector<Clip> clips_of(const fs::path& root, const std::string& list, int per_class) {
  std::ifstream in(root / "evaluation_setup" / list);
  std::map<std::string, int> taken;
  std::vector<Clip> clips;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string audio, video, label;
    std::getline(fields, audio, '\t');
    std::getline(fields, video, '\t');
    std::getline(fields, label, '\t');
    while (!label.empty() && label.back() == '\r') label.pop_back();
    if (taken[label]++ < per_class) clips.push_back({root / video, label});
  }
  return clips;
}

std::vector<float> features(Backbone& network, const Clip& clip) {
  const NoGrad no_grad;
  const Frames frames =
      sample_frames(clip.video, {.frames_per_second = 0.5, .max_seconds = 2, .image_size = 128}).value();
  std::vector<float> pool = network.run(frames.pixels.rows(0, 1)).pool.value().to_vector();
  double norm = 0;
  for (const float v : pool) norm += double{v} * v;
  for (float& v : pool) v /= static_cast<float>(std::sqrt(norm) + 1e-12);
  return pool;
}

// Accuracy of a nearest-class-mean classifier on the test clips.
double nearest_mean_accuracy(Backbone& network, const std::vector<Clip>& train, const std::vector<Clip>& test) {
  std::map<std::string, std::vector<float>> means;
  for (const Clip& clip : train) {
    const std::vector<float> f = features(network, clip);
    std::vector<float>& mean = means[clip.label];
    mean.resize(f.size());
    for (size_t i = 0; i < f.size(); ++i) mean[i] += f[i];
  }
  int right = 0;
  for (const Clip& clip : test) {
    const std::vector<float> f = features(network, clip);
    double best = -std::numeric_limits<double>::infinity();
    std::string answer;
    for (const auto& [label, mean] : means) {
      double dot = 0, norm = 0;
      for (size_t i = 0; i < f.size(); ++i) {
        dot += double{f[i]} * mean[i];
        norm += double{mean[i]} * mean[i];
      }
      if (dot / std::sqrt(norm) > best) {
        best = dot / std::sqrt(norm);
        answer = label;
      }
    }
    right += answer == clip.label ? 1 : 0;
  }
  return right / static_cast<double>(test.size());
}

TEST(RealWeights, TheInception2015FileImportsWholeAndItsFeaturesTellPlacesApart) {
  const fs::path file = data_folder() / "weights/inception_v3_2015_partial_notop.h5";
  const fs::path clips = data_folder() / "esc10_scene15";
  if (!fs::exists(file) || !fs::exists(clips)) GTEST_SKIP() << "needs " << file << " and " << clips;
  ImportReport report;
  const auto network = make_backbone_from_weights({.model = "vis-inc"}, file, {}, &report);
  EXPECT_EQ(report.layout, "Keras legacy HDF5");
  EXPECT_EQ(report.parameters, 21'802'784);
  EXPECT_EQ(report.used.size(), 376u);
  EXPECT_TRUE(report.skipped.empty());
  const std::vector<Clip> train = clips_of(clips, "fold1_train.csv", 2),
                          test = clips_of(clips, "fold1_evaluate.csv", 1);
  ASSERT_EQ(train.size(), 20u);
  ASSERT_EQ(test.size(), 10u);
  const double accuracy = nearest_mean_accuracy(*network, train, test);
  RecordProperty("accuracy", std::to_string(accuracy));
  EXPECT_GE(accuracy, 0.5) << "chance is 0.1";
}

}  // namespace
}  // namespace avs
