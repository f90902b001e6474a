#include "tensor/parallel.h"

#include <atomic>

#include "tests/op_case.h"

namespace avs {
namespace {

class ParallelFor : public testing::Test {
 protected:
  void SetUp() override { before_ = thread_count(); }
  void TearDown() override { set_thread_count(before_); }

 private:
  int before_ = 1;
};

TEST_F(ParallelFor, VisitsEveryIndexOnceWhateverTheThreadCount) {
  for (const int threads : {1, 2, 3, 8})
    for (const int64_t n : {0, 1, 2, 7, 1000, 1001}) {
      set_thread_count(threads);
      std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
      parallel_for(n, 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) ++visits[static_cast<size_t>(i)];
      });
      for (const std::atomic<int>& v : visits) ASSERT_EQ(v, 1) << n << " on " << threads;
    }
}

TEST_F(ParallelFor, DoesNotSplitBelowItsGrain) {
  set_thread_count(4);
  std::atomic<int> pieces = 0;
  parallel_for(100, 60, [&](int64_t, int64_t) { ++pieces; });
  EXPECT_EQ(pieces, 1);
  pieces = 0;
  parallel_for(100, 25, [&](int64_t, int64_t) { ++pieces; });
  EXPECT_EQ(pieces, 4);
}

TEST_F(ParallelFor, HandsOnExceptionsOfEveryThread) {
  set_thread_count(4);
  for (const int64_t bad : {0, 30, 60, 99}) {
    const std::string message = error_of<DataError>([&] {
      parallel_for(100, 1, [&](int64_t first, int64_t last) {
        if (first <= bad && bad < last) throw DataError(str("sample ", bad));
      });
    });
    EXPECT_EQ(message, str("sample ", bad));
  }
}

TEST_F(ParallelFor, FinishesTheOtherPiecesBeforeItThrows) {
  set_thread_count(4);
  std::atomic<int> finished = 0;
  EXPECT_THROW(parallel_for(4, 1,
                            [&](int64_t first, int64_t) {
                              if (first == 0) throw NumericError("NaN");
                              ++finished;
                            }),
               NumericError);
  EXPECT_EQ(finished, 3);
}

TEST_F(ParallelFor, MayBeNested) {
  set_thread_count(3);
  std::vector<std::atomic<int>> visits(12);
  parallel_for(3, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      parallel_for(4, 1, [&](int64_t a, int64_t b) {
        for (int64_t j = a; j < b; ++j) ++visits[static_cast<size_t>(4 * i + j)];
      });
  });
  for (const std::atomic<int>& v : visits) EXPECT_EQ(v, 1);
}

TEST_F(ParallelFor, RefusesNoThreads) {
  EXPECT_THAT(error_of<UsageError>([] { set_thread_count(0); }), testing::HasSubstr("at least 1, got 0"));
}

}  // namespace
}  // namespace avs
