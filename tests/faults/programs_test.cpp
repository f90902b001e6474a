// A sample of ./run faults: a few trials of every scenario, the same ones in every run.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <memory>

#include "tensor/rng.h"
#include "tests/faults/harness/campaign.h"

namespace avs::faults {
namespace {

constexpr size_t kTrials = 8;  // per scenario

class Programs : public testing::TestWithParam<Scenario> {
 protected:
  static void SetUpTestSuite() {
    workplace_ = std::make_unique<TemporaryWorkplace>(std::filesystem::temp_directory_path());
    stage_ = make_stage(workplace_->place());
  }
  static void TearDownTestSuite() { workplace_.reset(); }

  static inline std::unique_ptr<TemporaryWorkplace> workplace_;
  static inline Tree stage_;
};

TEST_P(Programs, KeepsItsPromisesUnderASampleOfFaults) {
  const Workplace& place = workplace_->place();
  const Prepared prepared = prepare_scenario(place, stage_, GetParam());
  std::vector<Trial> trials = choose_trials(prepared, 1, 1);
  ASSERT_GE(trials.size(), kTrials);
  Rng(7).fork(GetParam().name).shuffle(trials);
  trials.resize(kTrials);
  for (const Trial& trial : trials) {
    const Result result = run_trial(place, prepared, trial);
    EXPECT_NE(result.outcome, Outcome::Broken)
        << "./run faults --only '" << GetParam().name << "' --trial '" << trial.text() << "': " << result.complaint;
  }
}

std::string name_of_test(const testing::TestParamInfo<Scenario>& info) {
  std::string name;
  for (const char c : info.param.name)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) name += c;
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, Programs, testing::ValuesIn(scenarios()), name_of_test);

}  // namespace
}  // namespace avs::faults
