#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apps/cli/program.h"
#include "tests/models/data/small_data.h"

namespace avs {
namespace {

using testing::HasSubstr;

std::string told_by(const std::string& config, int expected_code) {
  Program program("prog", "Does nothing.", "prog");
  int number = 0;
  program.flags().add("--number", number, "any");
  std::string name = "prog", flag = "--config", file = config;
  char* arguments[] = {name.data(), flag.data(), file.data(), nullptr};
  testing::internal::CaptureStderr();
  const int code = program.run(3, arguments, [] {});
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, expected_code) << told;
  return told;
}

TEST(ConfigOption, ThatIsNoFileIsRefusedInOneLineWithoutWaiting) {
  const test::Folder folder;
  const std::string pipe = (folder / "pipe").string(), absent = (folder / "absent").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ::alarm(60);  // ends a test that hangs
  EXPECT_THAT(told_by(pipe, 2), HasSubstr(pipe + ": is a named pipe, not a file"));
  EXPECT_THAT(told_by("/dev/zero", 2), HasSubstr("/dev/zero: is a device, not a file"));
  EXPECT_THAT(told_by(folder.path().string(), 2), HasSubstr(": is a folder, not a file"));
  EXPECT_THAT(told_by(absent, 2), HasSubstr(absent + ": no such file"));
  EXPECT_EQ(test::error_of([&] { Flags("", "").read_toml(pipe); }), pipe + ": is a named pipe, not a file");
  ::alarm(0);

  test::write_text(folder / "good.toml", "number = 3\n");
  EXPECT_EQ(told_by((folder / "good.toml").string(), 0), "");
}

}  // namespace
}  // namespace avs
