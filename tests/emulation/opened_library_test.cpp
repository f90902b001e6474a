// The lookup of NVIDIA's libraries at run time, tested on the C math library.
#include "cuda/opened_library.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "tests/op_case.h"

namespace avs {
namespace {

using cuda::OpenedLibrary;
using testing::HasSubstr;

constexpr const char* kVariable = "AVS_TESTED_LIBRARY";

class OpenedLibraryTest : public testing::Test {
 protected:
  ~OpenedLibraryTest() override { unsetenv(kVariable); }
};

TEST_F(OpenedLibraryTest, IsFoundWhereTheLoaderLooks) {
  const OpenedLibrary library("mathematics", "libm.so.6", kVariable, "");
  EXPECT_EQ(library.problem(), "");
  EXPECT_EQ(library.find<double(double)>("sqrt")(9), 3);
  EXPECT_THAT(error_of<DeviceError>([&] { library.find<void()>("no_such_function"); }),
              HasSubstr("mathematics has no function no_such_function"));
}

TEST_F(OpenedLibraryTest, IsTheFileThatTheEnvironmentNamesAndNoOther) {
  setenv(kVariable, "/nowhere/libm.so.6", 1);
  const OpenedLibrary library("mathematics", "libm.so.6", kVariable, "");
  EXPECT_THAT(library.problem(), HasSubstr("mathematics cannot be opened: /nowhere/libm.so.6"));
  setenv(kVariable, "libm.so.6", 1);
  EXPECT_EQ(OpenedLibrary("mathematics", "libno.so.9", kVariable, "").problem(), "");
}

TEST_F(OpenedLibraryTest, IsFoundInTheFolderOfTheBuild) {
  const auto folder = std::filesystem::temp_directory_path() / str("avs_library_", getpid());
  std::filesystem::create_directories(folder);
  std::filesystem::path file;
  for (const char* place :
       {"/lib", "/usr/lib", "/lib64", "/usr/lib64", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu"})
    if (std::filesystem::exists(std::string(place) + "/libm.so.6")) file = std::string(place) + "/libm.so.6";
  ASSERT_FALSE(file.empty());
  std::filesystem::create_symlink(file, folder / "libours.so.9");
  EXPECT_EQ(OpenedLibrary("ours", "libours.so.9", kVariable, folder).problem(), "");
  std::filesystem::remove_all(folder);
}

TEST_F(OpenedLibraryTest, ThatIsMissingSaysHowToNameItAndIsCounted) {
  const OpenedLibrary library("cuX", "libcuX.so.9", kVariable, "/nowhere");
  EXPECT_THAT(library.problem(), HasSubstr("cuX cannot be opened: libcuX.so.9"));
  EXPECT_THAT(library.problem(), HasSubstr("AVS_TESTED_LIBRARY=PATH or LD_LIBRARY_PATH say where libcuX.so.9 is"));
  EXPECT_THAT(OpenedLibrary::problems(), testing::Contains(library.problem()));
  EXPECT_THAT(error_of<DeviceError>([&] { library.find<void()>("anything"); }), HasSubstr("cuX cannot be opened"));
}

}  // namespace
}  // namespace avs
