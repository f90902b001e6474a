#include "tensor/cpu/region.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tensor/rng.h"

namespace avs::cpu {
namespace {

constexpr size_t kPage = Region::kGranule;

TEST(Region, JoinsFreedNeighboursIntoOneBlock) {
  Region region(64 * kPage);
  void* a = region.allocate(10 * kPage);
  void* b = region.allocate(20 * kPage);
  void* c = region.allocate(10 * kPage);
  region.deallocate(a, 10 * kPage);
  region.deallocate(c, 10 * kPage);
  EXPECT_EQ(region.cached_bytes(), 20 * kPage);
  region.deallocate(b, 20 * kPage);
  EXPECT_EQ(region.allocate_cached(40 * kPage), a);
  EXPECT_EQ(region.cached_bytes(), 0u);
}

TEST(Region, TakesTheSmallestBlockThatFits) {
  Region region(64 * kPage);
  void* large = region.allocate(20 * kPage);
  region.allocate(kPage);  // separates the two
  void* small = region.allocate(5 * kPage);
  region.allocate(kPage);
  region.deallocate(large, 20 * kPage);
  region.deallocate(small, 5 * kPage);
  EXPECT_EQ(region.allocate(4 * kPage), small);
}

TEST(Region, ExtendsACachedBlockIntoFreshMemory) {
  Region region(64 * kPage);
  void* a = region.allocate(10 * kPage);
  region.deallocate(a, 10 * kPage);
  EXPECT_EQ(region.allocate(30 * kPage), a);
  EXPECT_EQ(region.cached_bytes(), 0u);
}

TEST(Region, SaysNoWhenNothingFitsAndYesAfterReleasing) {
  Region region(16 * kPage);
  void* a = region.allocate(8 * kPage);
  EXPECT_EQ(region.allocate(9 * kPage), nullptr);
  region.deallocate(a, 8 * kPage);
  region.release_cached();
  EXPECT_EQ(region.cached_bytes(), 0u);
  EXPECT_NE(region.allocate(16 * kPage), nullptr);
}

// Allocates blocks of random sizes and fills each with its own number: no block overlaps another, and all memory is
// returned.
TEST(Region, BlocksNeverOverlapUnderRandomUse) {
  struct Held {
    unsigned char* data;
    size_t bytes;
    unsigned char mark;
  };
  Region region(4096 * kPage);
  Rng rng(5);
  std::vector<Held> held;
  const auto give_back = [&](size_t i) {
    for (size_t k = 0; k < held[i].bytes; k += 512) ASSERT_EQ(held[i].data[k], held[i].mark);
    region.deallocate(held[i].data, held[i].bytes);
    held.erase(held.begin() + static_cast<int64_t>(i));
  };
  for (int step = 0; step < 3000; ++step) {
    if (held.size() > 40 || (!held.empty() && rng.below(2) == 0)) {
      give_back(static_cast<size_t>(rng.below(static_cast<int64_t>(held.size()))));
      continue;
    }
    const size_t bytes = static_cast<size_t>(1 + rng.below(60)) * kPage;
    auto* data = static_cast<unsigned char*>(region.allocate(bytes));
    ASSERT_NE(data, nullptr);
    held.push_back({data, bytes, static_cast<unsigned char>(step % 251)});
    std::memset(data, held.back().mark, bytes);
    if (step % 500 == 499) region.release_cached();
  }
  while (!held.empty()) give_back(0);
  region.release_cached();
  EXPECT_NE(region.allocate(4096 * kPage), nullptr);
}

}  // namespace
}  // namespace avs::cpu
