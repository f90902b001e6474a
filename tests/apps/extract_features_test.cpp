#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audio/features.h"
#include "models/checkpoint.h"
#include "tests/apps/run_program.h"
#include "tests/audio/support.h"
#include "vision/image.h"

namespace avs {
namespace {

using testing::HasSubstr;

class ExtractFeatures : public testing::Test {
 protected:
  void SetUp() override {
    write_sound(folder_ / "a clip.wav", tone(440, 3, 44100, 1), SF_FORMAT_WAV | SF_FORMAT_PCM_24);
  }

  ProgramResult extract(const std::string& arguments) {
    return run_program("extract_features", "--in '" + (folder_ / "a clip.wav").string() + "' --out " +
                                               (folder_ / "x.safetensors").string() + " " + arguments);
  }
  Tensor features() { return Checkpoint::load(folder_ / "x.safetensors").tensors.at("features"); }

  TemporaryFolder folder_;
};

TEST_F(ExtractFeatures, WritesWhatTheLibraryComputes) {
  const Waveform clip = load_clip(folder_ / "a clip.wav").value();
  for (const auto& [name, stage] : {std::pair{"power", Stage::Power}, {"log", Stage::Log}, {"delta", Stage::Delta}})
    for (const auto kind : {SpectrogramKind::Mel, SpectrogramKind::Gam, SpectrogramKind::Cqt}) {
      const ProgramResult result = extract(str("--kind ", name_of(kind), " --stage ", name));
      ASSERT_EQ(result.exit_code, 0) << result.err;
      const Tensor expected = FeatureExtractor()(clip, kind, stage);
      EXPECT_EQ(features().shape(), expected.shape());
      EXPECT_EQ(features().to_vector(), expected.to_vector()) << name_of(kind) << " " << name;
    }
}

TEST_F(ExtractFeatures, KnowsTheAuthorsConstantQ) {
  ASSERT_EQ(extract("--kind cqt --cqt author").exit_code, 0);
  const Waveform clip = load_clip(folder_ / "a clip.wav").value();
  EXPECT_EQ(features().to_vector(),
            FeatureExtractor(CqtRange::Author)(clip, SpectrogramKind::Cqt, Stage::Log).to_vector());
}

TEST_F(ExtractFeatures, DrawsAPicture) {
  const std::string png = (folder_ / "x.png").string();
  ASSERT_EQ(extract("--kind mel --stage power --png " + png).exit_code, 0);
  EXPECT_EQ(read_image(png).pixels.shape(), (Shape{2 * 256 + 4, 704, 3}));
}

TEST_F(ExtractFeatures, FailsInOneLine) {
  const ProgramResult unknown = extract("--kind mfcc");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("mfcc not in {mel,gam,cqt}"));
  write_text(folder_ / "a clip.wav", std::string("not a sound"));
  const ProgramResult unreadable = extract("--kind mel");
  EXPECT_EQ(unreadable.exit_code, 1);
  EXPECT_THAT(unreadable.err, HasSubstr("a clip.wav: cannot be read as a media file"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.safetensors"));
}

}  // namespace
}  // namespace avs
