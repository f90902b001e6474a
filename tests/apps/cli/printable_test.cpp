// Names and messages from outside, made safe to print: no control characters, no broken lines, no C++ details.
#include "models/printable.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <sstream>

#include "apps/cli/output.h"
#include "tensor/error.h"

namespace avs {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Printable, EscapesWhatATerminalObeysAndKeepsEveryLanguage) {
  EXPECT_EQ(printable("a\x1b[31mred\x07"), "a\\u001b[31mred\\u0007");
  EXPECT_EQ(printable("tab\there\nand\rthere\x7f"), "tab\\there\\nand\\rthere\\u007f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\u009b31m");                                                      // C1: one-byte ESC [
  EXPECT_EQ(printable("exe.\xe2\x80\xaegpj"), "exe.\\u202egpj");                // right-to-left override
  EXPECT_EQ(printable("\xff\xc3(\xed\xa0\x80"), "\\xff\\xc3(\\xed\\xa0\\x80");  // not UTF-8, a surrogate
  EXPECT_EQ(printable("cut \xe2\x82"), "cut \\xe2\\x82");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\u0000b");
  for (const char* name : {"plaça ☂", "駅 の ホーム", "🚋 tram", "C:\\x", "50 % \"off\""})
    EXPECT_EQ(printable(name), name);
  EXPECT_EQ(printable_lines("two\n\tlines\x1b"), "two\n\tlines\\u001b");
}

TEST(Printable, MessagesCarryNoConditionOfTheSource) {
  const auto failed = [] {
    try {
      const int width = 9;
      AVS_CHECK(UsageError, width < 5 && std::string("[]").size() == 2, "the width [n, h] is 1 to 4, got ", width);
    } catch (UsageError& error) {
      error.add_context("in layer 'x'");
      return std::string(error.what());
    }
    return std::string();
  }();
  ASSERT_THAT(failed, HasSubstr("width < 5"));
  EXPECT_EQ(message_for_people(failed), "the width [n, h] is 1 to 4, got 9\n    in layer 'x'");
  EXPECT_EQ(message_for_people("x [n, h, w, 3]"), "x [n, h, w, 3]");
  EXPECT_EQ(message_for_people("cache [a:12]"), "cache [a:12]");
}

TEST(Printable, MessagesAreCutInTheirMiddleAndCannotForgeALine) {
  const std::string message = message_for_people("/data/" + std::string(100'000, 'x') + ".mp4: no such file");
  EXPECT_LE(message.size(), kMaxLine + 10);
  EXPECT_THAT(message, StartsWith("/data/xxx"));
  EXPECT_THAT(message, EndsWith(".mp4: no such file"));
  EXPECT_EQ(message_for_people("a\nprepare: done"), "a\n    prepare: done");
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "ä";
  EXPECT_THAT(printable(shortened(umlauts, 100)), Not(HasSubstr("\\x")));
}

TEST(Printable, ColumnsAreCountedAsTheyAreShown) {
  EXPECT_EQ(columns_of("bus"), 3);
  EXPECT_EQ(columns_of("plaça"), 5);
  EXPECT_EQ(columns_of("駅"), 2);
  EXPECT_EQ(first_columns("plaça", 4), "plaç");
  EXPECT_EQ(first_columns("駅駅", 3), "駅");
  EXPECT_EQ(first_columns("bus", 0), "");
  EXPECT_EQ(first_columns("bus", -1), "");
}

TEST(Output, StdoutShowsNothingRawAndTellsOfAFailedWrite) {
  std::stringbuf shown;
  std::streambuf* const before = std::cout.rdbuf(&shown);
  {
    const PrintableStdout printing;
    std::cout << "a\x1b[2J\n"
              << "\xe2";
    std::cout << "\x82\xac"
              << "{\"x\":\"\xe2\x80\xae\"}" << std::endl;
  }
  std::cout.rdbuf(before);
  EXPECT_EQ(shown.str(), "a\\u001b[2J\n€{\"x\":\"\\u202e\"}\n");
}

TEST(Output, LogsGoToStderrMadePrintable) {
  log_to_stderr();
  testing::internal::CaptureStderr();
  spdlog::warn("{}: no picture", "\x1b]0;title\x07.mp4");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "\\u001b]0;title\\u0007.mp4: no picture\n");
}

TEST(Output, ClosedStandardStreamsAreNotHandedToTheNextFile) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int descriptor : {0, 1, 2}) ::close(descriptor);
    open_standard_streams();
    const int next = ::open("/dev/null", O_RDONLY);
    ::_exit(next > 2 ? ::write(1, "x", 1) == 1 && ::write(2, "x", 1) == 1 ? 0 : 2 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

}  // namespace
}  // namespace avs
