// This engine beside the libraries the field trusts, through the small golden files that those libraries made
// (tests/parity/peers, ./run golden); no Python is needed here. ./run parity does the same with larger cases.
#include <gtest/gtest.h>

#include <set>

#include "tests/parity/check/planted.h"

namespace avs::parity {
namespace {

const std::vector<Case>& golden_cases() {
  static const std::vector<Case> cases = load_all_cases(AVS_SOURCE_DIR "/tests/golden/parity");
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

class Parity : public testing::TestWithParam<size_t> {};

TEST_P(Parity, AgreesWithItsPeer) {
  const Case& c = golden_cases().at(GetParam());
  ASSERT_FALSE(c.expected.empty());
  for (const Difference& d : differences(c, answer(c)))
    EXPECT_FALSE(d.is_over()) << c.name << ", against " << c.peer << ": " << d.output << " differs by " << d.error
                              << ", allowed " << d.tolerance;
}

INSTANTIATE_TEST_SUITE_P(Golden, Parity, testing::Range(size_t{0}, golden_cases().size()), case_name);

class PlantedMistake : public testing::TestWithParam<size_t> {};

TEST_P(PlantedMistake, IsCaughtWhereverItIsMade) {
  const Mistake& mistake = mistakes().at(GetParam());
  const Catch caught = catch_of(mistake, golden_cases());
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
