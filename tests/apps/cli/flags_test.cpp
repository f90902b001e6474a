// Values that flags accept, from the command line and from a file.
#include "apps/cli/flags.h"

#include <gmock/gmock.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "apps/cli/config_file.h"
#include "apps/train/options.h"
#include "tests/op_case.h"

namespace avs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// The error of a program with one flag --x of this type; empty if it accepts the value.
template <typename T>
std::string problem_with(const std::string& value, T& variable) {
  Flags flags("", "program");
  flags.add("--x", variable, "");
  const char* words[] = {"program", "--x", value.c_str()};
  try {
    flags.parse(3, words);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return {};
}

template <typename T>
void expect_refused(const std::vector<std::string>& values, const std::string& expected) {
  for (const std::string& value : values) {
    T variable{};
    EXPECT_THAT(problem_with(value, variable), AllOf(HasSubstr("--x: got '" + value + "'"), HasSubstr(expected)))
        << value;
  }
}

TEST(Flags, NumbersThatDoNotFitTheirTypeAreRefused) {
  const std::vector<std::string> beyond = {
      "99999999999999999999", "-99999999999999999999", "1e3", "0x10", "1.5", "nan", "inf", "1 ", "five"};
  expect_refused<int>(beyond, "a whole number from -2147483648 to 2147483647");
  expect_refused<int64_t>(beyond, "a whole number from -9223372036854775808");
  expect_refused<uint64_t>(beyond, "a whole number from 0 to 18446744073709551615");
  expect_refused<std::optional<int64_t>>(beyond, "a whole number");
  expect_refused<std::vector<int64_t>>(beyond, "a whole number");
  expect_refused<uint64_t>({"-1"}, "a whole number from 0");
  expect_refused<int>({"4294967297"}, "a whole number from");
  expect_refused<double>({"inf", "-inf", "nan", "NAN(1)", "1e400", "0x1p3", "1,5", "x"}, "a finite number");
  expect_refused<float>({"1e39", "nan"}, "a finite number");
  expect_refused<std::optional<double>>({"nan"}, "a finite number");
}

TEST(Flags, NumbersAreDecimal) {
  int whole = 0;
  EXPECT_EQ(problem_with("010", whole), "");
  EXPECT_EQ(whole, 10);
  EXPECT_EQ(problem_with("+7", whole), "");
  EXPECT_EQ(whole, 7);
  EXPECT_EQ(problem_with("-3", whole), "");
  EXPECT_EQ(whole, -3);
  uint64_t large = 0;
  EXPECT_EQ(problem_with("18446744073709551615", large), "");
  EXPECT_EQ(large, 18446744073709551615u);
  double number = 0;
  EXPECT_EQ(problem_with("-1.5e-3", number), "");
  EXPECT_EQ(number, -1.5e-3);
}

// The bytes that --x parses, or its error.
std::string size_of(const std::string& value) {
  Flags flags("", "program");
  uint64_t bytes = 0;
  flags.add("--x", bytes, "").takes_units();
  const char* words[] = {"program", "--x", value.c_str()};
  try {
    flags.parse(3, words);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return str(bytes);
}

TEST(Flags, SizesHaveUnitsAndNeverWrap) {
  EXPECT_EQ(size_of("1000"), "1000");
  EXPECT_EQ(size_of("60MB"), "62914560");
  EXPECT_EQ(size_of("4 gib"), "4294967296");
  EXPECT_EQ(size_of("15e"), str(uint64_t{15} << 60));
  for (const char* value : {"-5", "100000000000000000000", "16E", "1e30", "4XB", "4GBs", "GB", "", "nan", "1.5GB"})
    EXPECT_THAT(size_of(value), HasSubstr(str("--x: got '", value, "', expected bytes"))) << value;
}

TEST(Flags, ARangeIncludesItsEndsAndNoNan) {
  const auto problem = [](const std::string& value) {
    Flags flags("", "program");
    double x = 0;
    flags.add("--x", x, "").within(0.5, 3600.0);
    const char* words[] = {"program", "--x", value.c_str()};
    try {
      flags.parse(3, words);
    } catch (const CLI::ParseError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(problem("0.5") + problem("3600"), "");
  EXPECT_THAT(problem("3600.1"), HasSubstr("--x: got '3600.1', expected a number from 0.5 to 3600"));
  EXPECT_THAT(problem("nan"), HasSubstr("--x: got 'nan'"));
}

TEST(Flags, ANameThatLooksLikeAListIsOneName) {
  Flags flags("", "program");
  std::vector<std::string> files, runs;
  std::string out;
  flags.add("FILE", files, "");
  flags.add("--run", runs, "");
  flags.add("--out", out, "");
  const char* words[] = {"program", "[a,b]", "a,b", "--run", "[c,d]", "--run=[e]", "--out", "[f,g]", "--", "[]"};
  flags.parse(std::size(words), words);
  EXPECT_THAT(files, ElementsAre("[a,b]", "a,b", "[]"));
  EXPECT_THAT(runs, ElementsAre("[c,d]", "[e]"));
  EXPECT_EQ(out, "[f,g]");
}

class ConfigFile : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  void write(const std::string& text) const { std::ofstream(file_, std::ios::binary) << text; }
  const std::string file_ = (std::filesystem::temp_directory_path() / str("avs-config-", ::getpid(), ".toml")).string();
};

TEST_F(ConfigFile, EveryPathSurvivesWriteAndRead) {
  for (const std::string name : {"a#b", "a\"b", "a\\b", "a\\nb", "two\nlines", "tab\t", "[a,b]", "a,b", "a = 'b'",
                                 "ä ☂", "\x7f\x01", " x ", "\\"}) {
    BackboneTraining options;
    options.model = "aud-mel";
    options.cache = options.weights = name;
    options.out = "somewhere";
    options.learning.seed = 18446744073709551615u;
    options.learning.learning_rate = 1e-7;
    write(to_toml(options));
    BackboneTraining read;
    Flags flags("", "");
    add_options(flags, read);
    flags.flag("--out").required(false);
    flags.read_toml(file_);
    EXPECT_EQ(read.cache, name);
    EXPECT_EQ(read.weights, name);
    EXPECT_EQ(read.learning.seed, options.learning.seed);
    EXPECT_EQ(to_toml(read), to_toml(options));
  }
}

TEST_F(ConfigFile, ListsOfFilesSurviveToo) {
  FusionTraining options;
  options.embeddings = {"one#1.st", "two \"2\".st"};
  options.method = "f4";
  write(to_toml(options));
  FusionTraining read;
  Flags flags("", "");
  add_options(flags, read);
  flags.flag("--out").required(false);
  flags.read_toml(file_);
  EXPECT_EQ(read.embeddings, options.embeddings);
}

TEST_F(ConfigFile, RunsOfEarlierVersionsStillLoad) {
  write(
      "model = \"aud-mel\"\ncache = \"/data/my.cache\"\nwidth = 0.25\naugment = [\"shift\",\"specaugment\"]\n"
      "recompute = false\nfast = true\nadam-epsilon = 1e-07\nepochs = 30\nseed = 7\n");
  BackboneTraining read;
  Flags flags("", "");
  add_options(flags, read);
  flags.flag("--out").required(false);
  flags.read_toml(file_);
  EXPECT_EQ(read.cache, "/data/my.cache");
  EXPECT_EQ(read.width, 0.25);
  EXPECT_THAT(read.augment, ElementsAre("shift", "specaugment"));
  EXPECT_TRUE(read.compute.fast);
  EXPECT_FALSE(read.recompute);
  EXPECT_EQ(read.learning.adam_epsilon, 1e-7);
  EXPECT_EQ(read.learning.seed, 7u);
}

TEST_F(ConfigFile, ProblemsNameFileAndPlace) {
  const auto problem = [&](const std::string& text) {
    write(text);
    return error_of<DataError>([&] {
      Flags flags("", "");
      int64_t batch = 0;
      flags.add("--batch", batch, "");
      flags.read_toml(file_);
    });
  };
  EXPECT_THAT(problem("batch = 3\nbatch = "), HasSubstr(file_ + ": 2:"));
  EXPECT_THAT(problem("bach = 3"), HasSubstr(file_ + ": there is no flag --bach"));
  EXPECT_THAT(problem("batch = -99999999999999999999"), HasSubstr(file_ + ": 1:"));
  EXPECT_THAT(problem("batch = 3.5"), AllOf(HasSubstr(file_), HasSubstr("got '3.5', expected a whole number")));
  EXPECT_THAT(problem("batch = []"), HasSubstr("an empty list"));
  EXPECT_THAT(problem("[batch]\nx = 1"), HasSubstr("neither text nor a number"));
  EXPECT_THAT(problem("batch = 2024-01-01"), HasSubstr("neither text nor a number"));
  EXPECT_THAT(problem(std::string(2'000'000, '#')), HasSubstr("no file of flags"));
}

TEST(ConfigText, WhatIsNotUtf8IsRefused) {
  EXPECT_THAT(error_of<UsageError>([] { toml_string("a\xff"); }), HasSubstr("not UTF-8"));
}

}  // namespace
}  // namespace avs
