// Compares this engine with established libraries through the small golden files that those made (tests/parity/peers,
// ./run golden); it needs no Python. ./run parity does the same with larger cases.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>

#include "tests/parity/check/planted.h"

namespace avs::parity {
namespace {

bool is_from_test_data(const Case& c) { return c.spec.value("from_test_data", false); }

// The test data has the recordings and clips; a checkout may lack it.
std::filesystem::path test_data() {
  const char* const given = std::getenv("AVS_DATA");
  return given != nullptr ? given : AVS_SOURCE_DIR "/../shared/data";
}

const std::vector<Case>& golden_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all = load_all_cases(AVS_SOURCE_DIR "/tests/golden/parity");
    for (Case& c : all)
      if (is_from_test_data(c)) c.spec["folder"] = test_data().string();
    return all;
  }();
  return cases;
}

std::string as_test_name(std::string name) {
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
  return name;
}
using Index = testing::TestParamInfo<size_t>;
std::string case_name(const Index& index) { return as_test_name(golden_cases().at(index.param).name); }
std::string mistake_name(const Index& index) { return as_test_name(mistakes().at(index.param).name); }

// Prints the worst error of each row as a share of its tolerance. Above a half another processor may exceed it: with
// AVS_REVIEW in the environment that is a failure, which a reviewer must look at; for a user it is not.
class Shares : public testing::Environment {
 public:
  static void note(const Case& c, const Difference& d) {
    Worst& worst = rows()[c.row];
    if (d.share() >= worst.share) worst = {d.share(), c.name + ": " + d.output};
  }

  void TearDown() override {
    std::string shares;
    const Worst* most = nullptr;
    for (const auto& [row, worst] : rows()) {
      shares += fmt::format("{} {} {:.2f}", shares.empty() ? "" : ",", row, worst.share);
      if (most == nullptr || worst.share > most->share) most = &worst;
    }
    if (most == nullptr) return;
    fmt::print("parity: at most {:.2f} of what is allowed ({});{}\n", most->share, most->where, shares);
    if (std::getenv("AVS_REVIEW") == nullptr) return;
    EXPECT_LE(most->share, 0.5) << "the review's target; a test fails above 1";
  }

 private:
  struct Worst {
    double share = 0;
    std::string where;
  };
  static std::map<std::string, Worst>& rows() {
    static std::map<std::string, Worst> rows;
    return rows;
  }
};
const testing::Environment* const kShares = testing::AddGlobalTestEnvironment(new Shares);

class Parity : public testing::TestWithParam<size_t> {};

TEST_P(Parity, AgreesWithItsPeer) {
  const Case& c = golden_cases().at(GetParam());
  ASSERT_FALSE(c.expected.empty());
  if (is_from_test_data(c) && !std::filesystem::exists(test_data())) GTEST_SKIP() << "no test data in " << test_data();
  for (const Difference& d : differences(c, answer(c))) {
    Shares::note(c, d);
    EXPECT_FALSE(d.is_over()) << c.name << ", against " << c.peer << ": " << d.output << " differs by " << d.error
                              << ", allowed " << d.tolerance << "; its own single precision is off by " << d.single;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, Parity, testing::Range(size_t{0}, golden_cases().size()), case_name);

class PlantedMistake : public testing::TestWithParam<size_t> {};

TEST_P(PlantedMistake, IsCaughtWhereverItIsMade) {
  const Mistake& mistake = mistakes().at(GetParam());
  std::vector<Case> cases;  // drawn cases only: they are short and always available
  for (const Case& c : golden_cases())
    if (!is_from_test_data(c)) cases.push_back(c);
  const Catch caught = catch_of(mistake, cases);
  ASSERT_GT(caught.cases, 0) << "'" << mistake.name << "' concerns no case of row " << mistake.row;
  EXPECT_GT(caught.caught, 0) << "'" << mistake.name << "' (" << mistake.what << ") went unnoticed";
}

INSTANTIATE_TEST_SUITE_P(Golden, PlantedMistake, testing::Range(size_t{0}, mistakes().size()), mistake_name);

TEST(ParityRows, EachHasAMistakeThatItCatches) {
  std::set<std::string> rows, with_mistakes;
  for (const Case& c : golden_cases()) rows.insert(c.row);
  for (const Mistake& mistake : mistakes()) with_mistakes.insert(mistake.row);
  EXPECT_EQ(rows, with_mistakes);
}

// Every function with a gradient has a case. Those that only copy, and avg_pool2d of some channels, are left to
// tests/tensor/ops.
TEST(ParityCases, HoldEveryDifferentiableFunction) {
  const std::set<std::string> left = {"avg_pool_channels", "join", "stack", "write_channels"};
  std::ifstream header(AVS_SOURCE_DIR "/autograd/functions.h");
  std::set<std::string> declared, compared;
  const std::regex declaration(R"(^Variable (\w+)\()");
  for (std::string line; std::getline(header, line);)
    if (std::smatch match; std::regex_search(line, match, declaration)) declared.insert(match[1]);
  for (const Case& c : golden_cases())
    if (c.spec.contains("op") && c.expected.contains("d_x") + c.expected.contains("d_x0") + c.expected.contains("d_a"))
      compared.insert(c.spec.at("op").get<std::string>());
  EXPECT_GE(declared.size(), 20u);
  for (const std::string& name : declared)
    EXPECT_TRUE(compared.contains(name) || left.contains(name)) << name << " has no case with gradients";
}

TEST(ParityCases, AreMeasuredByTheScaleOfTheWholeAnswerAndAllowedEightOfThePeersErrors) {
  Case c;
  c.expected["y"] = {Tensor::full({1}, 1e-3f), 99, 1e-6, 0.5, 1e-7};  // the only value kept is near zero
  const Difference d = worst(differences(c, {{"y", Tensor::full({1}, 1e-3f + 2e-7f)}}));
  EXPECT_NEAR(d.error, 4e-7, 1e-9);
  EXPECT_DOUBLE_EQ(d.tolerance, 1e-6);
  c.expected["y"].single = 1e-5;
  EXPECT_DOUBLE_EQ(c.expected["y"].tolerance(), 8e-5);
}

TEST(ParityCases, AFileWithoutThemIsNamed) {
  try {
    load_all_cases("/no/such/folder");
    ADD_FAILURE() << "no error was thrown";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("/no/such/folder"), std::string::npos);
  }
}

TEST(ParityCases, AnAnswerOfAnotherShapeIsInfinitelyFar) {
  Case c;
  c.expected["y"] = {Tensor::zeros({3}), 1, 1e-5};
  EXPECT_TRUE(worst(differences(c, {{"y", Tensor::zeros({4})}})).is_over());
  EXPECT_TRUE(worst(differences(c, {})).is_over());
  EXPECT_FALSE(worst(differences(c, {{"y", Tensor::zeros({3})}})).is_over());
}

}  // namespace
}  // namespace avs::parity
