#include "tensor/context.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "tensor/parallel.h"
#include "tests/op_case.h"

namespace avs {
namespace {

constexpr size_t kMegabyte = size_t{1} << 20;

// Sizes are powers of two: the arena rounds others up.
class Arena : public testing::Test {
 protected:
  void SetUp() override {
    cpu().release_cached();
    cpu().reset_peak();
    before_ = cpu().memory();
  }
  void TearDown() override { cpu().set_memory_limit(0); }

  static Context& cpu() { return context(kCpu); }
  size_t live() const { return cpu().memory().live_bytes - before_.live_bytes; }
  size_t peak() const { return cpu().memory().peak_bytes - before_.peak_bytes; }

 private:
  MemoryStats before_;
};

TEST_F(Arena, CountsLiveAndPeakBytes) {
  {
    const Tensor a = Tensor::empty({1 << 18});  // 1 MB
    EXPECT_EQ(live(), kMegabyte);
    { const Tensor b = Tensor::empty({1 << 19}); }
    EXPECT_EQ(live(), kMegabyte);
    EXPECT_EQ(peak(), 3 * kMegabyte);
  }
  EXPECT_EQ(live(), 0u);
  EXPECT_EQ(peak(), 3 * kMegabyte);
  cpu().reset_peak();
  EXPECT_EQ(peak(), 0u);
}

TEST_F(Arena, KeepsFreedBlocksAndHandsThemOutAgain) {
  const void* first = nullptr;
  {
    const Tensor a = Tensor::empty({1 << 18});
    first = a.raw();
  }
  EXPECT_EQ(cpu().memory().cached_bytes, kMegabyte);
  const Tensor b = Tensor::empty({1 << 18});
  EXPECT_EQ(b.raw(), first);
  EXPECT_EQ(cpu().memory().cached_bytes, 0u);
}

TEST_F(Arena, GivesCachedMemoryBackWhenAsked) {
  { const Tensor a = Tensor::empty({1 << 18}); }
  cpu().release_cached();
  EXPECT_EQ(cpu().memory().cached_bytes, 0u);
}

TEST_F(Arena, AlignsEveryBlockToACacheLine) {
  for (const int64_t n : {1, 3, 17, 1000, 100001})
    EXPECT_EQ(reinterpret_cast<uintptr_t>(Tensor::empty({n}, DType::U8).raw()) % 64, 0u) << n;
}

TEST_F(Arena, KeepsToItsLimitAndSaysWhatWasAsked) {
  cpu().set_memory_limit(cpu().memory().live_bytes + 4 * kMegabyte);
  const Tensor a = Tensor::empty({1 << 19});  // 2 MB
  const std::string message = error_of<OutOfMemory>([] { Tensor::empty({1 << 20}); });
  EXPECT_THAT(message, testing::HasSubstr("4194304 bytes asked"));
  EXPECT_THAT(message, testing::HasSubstr("the memory limit is"));
  EXPECT_THAT(message, testing::HasSubstr("--batch"));
  EXPECT_EQ(live(), 2 * kMegabyte);
}

TEST_F(Arena, FreesWhatItCachedBeforeItGivesUp) {
  cpu().set_memory_limit(cpu().memory().live_bytes + 4 * kMegabyte);
  { const Tensor a = Tensor::empty({3 << 18}); }  // 3 MB, cached now
  const Tensor b = Tensor::empty({1 << 19});      // needs another size: the 3 MB must be released
  const MemoryStats memory = cpu().memory();
  EXPECT_LE(memory.live_bytes + memory.cached_bytes, memory.limit_bytes);
}

#ifndef AVS_SANITIZED  // a sanitizer's allocator ends the process itself
TEST_F(Arena, FreesATensorWhereNoMemoryIsLeftToRememberIt) {
  std::vector<Tensor> tensors;
  for (int i = 0; i < 100'000; ++i) tensors.push_back(Tensor::empty({1}));
  const auto clear_without_memory = [&] {
    const rlimit none{1, 1};
    setrlimit(RLIMIT_AS, &none);
    tensors.clear();
    _exit(0);
  };
  EXPECT_EXIT(clear_without_memory(), testing::ExitedWithCode(0), "");
}

TEST(Str, ThrowsWhereNoMemoryIsLeftForTheText) {
  const std::string text(size_t{1} << 20, 'x');
  const auto write_without_memory = [&] {
    const rlimit none{1, 1};
    setrlimit(RLIMIT_AS, &none);
    while (std::malloc(size_t{1} << 16) != nullptr) {
    }
    try {
      _exit(str(text).empty() ? 1 : 2);
    } catch (const std::bad_alloc&) {
      _exit(0);
    }
  };
  EXPECT_EXIT(write_without_memory(), testing::ExitedWithCode(0), "");
}
#endif

TEST_F(Arena, MayBeUsedFromSeveralThreads) {
  parallel_for(64, 1, [](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      Tensor t = Tensor::full({1000 + i}, static_cast<float>(i));
      for (const float v : t.to_vector()) ASSERT_EQ(v, static_cast<float>(i));
    }
  });
  EXPECT_EQ(live(), 0u);
}

// An allocation that fails first frees cached blocks, which must not need any memory itself.
TEST_F(Arena, TakesMemoryBackWhereTheSystemHasNoneLeft) {
#ifdef AVS_SANITIZED
  GTEST_SKIP() << "the sanitizers' allocator ends the process";
#endif
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr size_t kSmall = 100, kLarge = 200 * 1024;
    static std::array<void*, 1000> blocks;  // the two sizes alternate, so that free blocks are never adjacent
    for (size_t i = 0; i < blocks.size(); ++i) blocks[i] = cpu().allocate(i % 4 == 0 ? kLarge : kSmall + i);
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 1;  // no further memory
    setrlimit(RLIMIT_AS, &limit);
    for (size_t bytes : {size_t{1} << 16, size_t{1} << 8, size_t{16}})
      for (void* volatile taken = &limit; taken != nullptr;) taken = std::malloc(bytes);
    for (size_t start : {0, 1})
      for (size_t i = start; i < blocks.size(); i += 2) cpu().deallocate(blocks[i], i % 4 == 0 ? kLarge : kSmall + i);
    cpu().release_cached();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "ended by signal " << WTERMSIG(status);
}

TEST_F(Arena, PrintsItself) {
  EXPECT_EQ(str(MemoryStats{12'500'000, 300'100'000, 1'000'000, 0}), "live 12.5 MB, peak 300.1 MB, cached 1.0 MB");
  EXPECT_THAT(str(MemoryStats{0, 0, 0, 2'000'000}), testing::HasSubstr("limit 2.0 MB"));
}

}  // namespace
}  // namespace avs
