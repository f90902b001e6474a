// Tests the harness on programs that break each promise.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/faults/harness/campaign.h"

namespace avs::faults {
namespace {

using testing::HasSubstr;

const Workplace& place() {
  static const TemporaryWorkplace shared(std::filesystem::temp_directory_path());
  return shared.place();
}

// The complaint about the program `careless` after the fault `trial`.
std::string complaint_about(const std::string& kind, const std::string& trial) {
  const Scenario scenario{.name = kind,
                          .command = "careless " + kind,
                          .results = {"out.json"},
                          .earlier = {"write mine.txt", "write out.json"}};
  const Prepared prepared = prepare_scenario(place(), {}, scenario);
  const Result result = run_trial(place(), prepared, trial_from(trial));
  EXPECT_NE(result.outcome, Outcome::Unreached) << kind << ": " << trial;
  return result.complaint;
}

TEST(Harness, HasNothingAgainstACarefulProgram) {
  for (const Fault& fault : faults()) {
    const std::string operation = kOperationNames[static_cast<int>(fault.operation)];
    if (std::set<std::string>{"open-to-write", "write", "fsync", "close", "rename"}.contains(operation)) {
      EXPECT_EQ(complaint_about("careful", Trial{&fault, 1, ""}.text()), "") << operation << " " << fault.name;
    }
  }
}

struct Planted {
  const char *kind, *trial, *complaint;
};

class Harness : public testing::TestWithParam<Planted> {};

TEST_P(Harness, NoticesAProgramThatIs) {
  EXPECT_THAT(complaint_about(GetParam().kind, GetParam().trial), HasSubstr(GetParam().complaint));
}

INSTANTIATE_TEST_SUITE_P(Planted, Harness,
                         testing::Values(Planted{"in-place", "write kill-halfway 1", "out.json is torn"},
                                         Planted{"unflushed", "rename power-cut 1", "out.json is torn"},
                                         Planted{"greedy", "rename kill 1", "mine.txt is gone"},
                                         Planted{"silent", "open-to-write EACCES 1", "exit 1 with 0 messages"},
                                         Planted{"vague", "open-to-write EACCES 1", "does not name out.json"},
                                         Planted{"deaf", "write EIO 1", "exit 0, but out.json has other bytes"},
                                         Planted{"short", "write short 1", "exit 0, but out.json has other bytes"},
                                         Planted{"impatient", "open-to-write EINTR 1", "gave up"},
                                         Planted{"crashing", "large-malloc refused 1", "ended by SIGSEGV in careless"},
                                         Planted{"untidy", "rename kill 1", "is left over"}),
                         [](const auto& test) {
                           std::string name = test.param.kind;
                           std::ranges::replace(name, '-', '_');
                           return name + std::to_string(test.index);
                         });

}  // namespace
}  // namespace avs::faults
