// The progress bar on terminals of every kind and width.
#include <gmock/gmock.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <thread>

#include "apps/cli/progress.h"
#include "models/printable.h"

namespace avs {
namespace {

// The output to a terminal with this many columns while a loop runs over files with hostile names.
std::string shown_on(const char* term, int columns) {
  winsize size = {};
  size.ws_col = static_cast<uint16_t>(columns);
  size.ws_row = 24;
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    term == nullptr ? ::unsetenv("TERM") : ::setenv("TERM", term, 1);
    {
      Progress progress(4, "plaça \x1b[31m☂");
      progress.set_note("駅\n\x07");
      for (int i = 0; i < 2; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(120));
        progress.advance();
      }
      progress.print("a \x1b[2J line");
    }
    ::_exit(0);
  }
  std::string shown;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(terminal, buffer, sizeof(buffer))) > 0;) shown.append(buffer, static_cast<size_t>(n));
  ::close(terminal);
  ::waitpid(child, nullptr, 0);
  return shown;
}

TEST(TerminalBar, FitsEveryWidthAndShowsNoNameRaw) {
  for (const int columns : {1, 2, 10, 43, 80, 200}) {
    std::string shown = shown_on("xterm", columns);
    EXPECT_EQ(shown.find("\x1b[31m"), std::string::npos);
    EXPECT_EQ(shown.find("\x1b[2J"), std::string::npos);
    EXPECT_EQ(shown.find('\x07'), std::string::npos);
    EXPECT_EQ(printable(shown).find("\\x"), std::string::npos) << columns << ": a character is cut";
    size_t bars = 0;
    const std::string clear = "\r\x1b[K";
    for (size_t at = shown.find(clear); at != std::string::npos; at = shown.find(clear, at + 1), ++bars) {
      const size_t begin = at + clear.size();
      const std::string bar = shown.substr(begin, shown.find('\r', begin) - begin);
      if (bar.starts_with("a ")) continue;  // the line above the bar
      EXPECT_LT(columns_of(bar), std::max(columns, 2)) << bar;
    }
    EXPECT_GE(bars, 2u) << columns;
  }
  EXPECT_THAT(shown_on("xterm", 200), testing::HasSubstr("plaça \\u001b[31m☂: 2 of 4 (50 %)"));
}

TEST(TerminalBar, ATerminalThatCannotClearALineGetsNone) {
  for (const char* term : {"dumb", "", static_cast<const char*>(nullptr)}) {
    const std::string shown = shown_on(term, 80);
    EXPECT_EQ(shown, "a \\u001b[2J line\r\n");
  }
}

}  // namespace
}  // namespace avs
