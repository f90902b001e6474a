#include "apps/cli/program.h"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <new>

namespace avs {
namespace {

TEST(ProgramDeathTest, MemoryRefusedWhereNoExceptionMayLeaveEndsInAMessage) {
  const auto refused_in_a_destructor = [] {
    const Program program("tidy", "", "");
    const std::function<void()> allocate = [] { throw std::bad_alloc(); };
    [&]() noexcept { allocate(); }();
  };
  EXPECT_EXIT(refused_in_a_destructor(), testing::ExitedWithCode(1), "tidy: out of memory");
}

TEST(ProgramDeathTest, AnotherExceptionThereAborts) {
  const auto broken = [] {
    const Program program("tidy", "", "");
    const std::function<void()> fail = [] { throw 1; };
    [&]() noexcept { fail(); }();
  };
  EXPECT_EXIT(broken(), testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
}  // namespace avs
