// These tests run in dry mode: kernels do nothing and memory is only addresses (tests/emulation/shadow.h).
#include <gtest/gtest.h>

#include <cstdlib>

int main(int argc, char** argv) {
  setenv("AVS_EMULATION_DRY", "1", 1);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
