#include "models/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include "tests/models/temporary_directory.h"
#include "tests/op_case.h"

namespace avs {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class Files : public testing::Test {
 protected:
  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const fs::directory_entry& file : fs::directory_iterator(folder_)) all.insert(file.path().filename().string());
    return all;
  }
  void plant(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }

  TemporaryDirectory directory_;
  const fs::path folder_ = directory_.path();
};

// ---- writing ----

TEST(Lines, EndInEitherWayAndTheLastNeedsNoEnd) {
  EXPECT_EQ(lines_of("a\nb\r\n\nc"), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(lines_of("a\n"), std::vector<std::string>{"a"});
  EXPECT_EQ(lines_of(""), std::vector<std::string>{});
}

TEST_F(Files, AppearWholeAndLeaveNothingBeside) {
  write_text(folder_ / "a", "first");
  write_text(folder_ / "a", "second");
  EXPECT_EQ(read_text(folder_ / "a"), "second");
  EXPECT_EQ(names(), (std::set<std::string>{"a"}));
}

TEST_F(Files, AreNotThereBeforeTheCommit) {
  write_text(folder_ / "a", "old");
  {
    OutputFile file(folder_ / "a");
    file.write(std::as_bytes(std::span("new", 3)));
    file.flush();
    EXPECT_EQ(read_text(folder_ / "a"), "old");
  }
  EXPECT_EQ(read_text(folder_ / "a"), "old");
  EXPECT_EQ(names(), (std::set<std::string>{"a"})) << "what was never committed is dropped";
}

TEST_F(Files, OfTwoWritersAtOnceAreEachWhole) {
  OutputFile one(folder_ / "a"), two(folder_ / "a");
  one.write(std::as_bytes(std::span("one", 3)));
  two.write(std::as_bytes(std::span("second", 6)));
  one.commit();
  EXPECT_EQ(read_text(folder_ / "a"), "one");
  two.commit();
  EXPECT_EQ(read_text(folder_ / "a"), "second");
}

TEST_F(Files, BehindALinkAreReplacedAndTheLinkStays) {
  fs::create_directory(folder_ / "elsewhere");
  plant("elsewhere/target", "old");
  fs::create_symlink("elsewhere/target", folder_ / "link");
  fs::create_symlink(folder_ / "link", folder_ / "link2");
  fs::create_symlink("elsewhere/absent", folder_ / "dangling");
  write_text(folder_ / "link2", "new");
  write_text(folder_ / "dangling", "made");
  EXPECT_EQ(read_text(folder_ / "elsewhere/target"), "new");
  EXPECT_EQ(read_text(folder_ / "elsewhere/absent"), "made");
  for (const char* link : {"link", "link2", "dangling"}) EXPECT_TRUE(fs::is_symlink(folder_ / link)) << link;
  fs::create_symlink("loop", folder_ / "loop");
  EXPECT_THAT(error_of<SystemError>([&] { write_text(folder_ / "loop", "x"); }), HasSubstr("loop: cannot be written"));
}

TEST_F(Files, DoNotFollowALinkThatWasPlantedForTheirUnfinishedName) {
  plant("victim", "mine");
  // Every name that the next writer could try is a link to another file.
  for (int i = 0; i < 400; ++i) fs::create_symlink("victim", folder_ / str(".a.", i, ".avs-part"));
  write_text(folder_ / "a", "new");
  EXPECT_EQ(read_text(folder_ / "victim"), "mine");
  EXPECT_EQ(read_text(folder_ / "a"), "new");
}

TEST_F(Files, ThatAreFifosAreWrittenInto) {
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::string got;
  std::jthread reader([&] {
    std::ifstream in(fifo);
    got = {std::istreambuf_iterator<char>(in), {}};
  });
  write_text(fifo, "through");
  reader.join();
  EXPECT_EQ(got, "through");
  EXPECT_TRUE(fs::is_fifo(fifo));
}

TEST_F(Files, ThatAreDevicesAreWrittenInto) {
  const fs::path device = folder_ / "null";
  if (::mknod(device.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) GTEST_SKIP() << "needs root to make a device";
  write_text(device, "gone");
  EXPECT_TRUE(fs::is_character_file(device));
  write_text("/dev/null", "gone");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

// /dev/stdout of `program >>log` is a regular file that others have written to.
TEST_F(Files, ThatAreOurOwnDescriptorsGrowWhereTheyAre) {
  plant("log", "before ");
  const int log = ::open((folder_ / "log").c_str(), O_WRONLY | O_APPEND);
  ASSERT_GE(log, 0);
  write_text(str("/dev/fd/", log), "after");
  ::close(log);
  EXPECT_EQ(read_text(folder_ / "log"), "before after");
}

TEST_F(Files, ThatAreFoldersAreRefused) {
  fs::create_directory(folder_ / "d");
  EXPECT_THAT(error_of<UsageError>([&] { write_text(folder_ / "d", "x"); }), HasSubstr("it is a folder"));
  EXPECT_TRUE(fs::is_directory(folder_ / "d"));
}

TEST_F(Files, OnAFullDiskStayAsTheyWereAndTheMessageSaysSo) {
  write_text(folder_ / "a", "old");
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1 << 12, old.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string of_old = error_of<SystemError>([&] { write_text(folder_ / "a", std::string(1 << 14, 'x')); });
  const std::string of_new = error_of<SystemError>([&] { write_text(folder_ / "b", std::string(1 << 14, 'x')); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(of_old, AllOf(HasSubstr((folder_ / "a").string() + ": cannot be written: File too large"),
                            HasSubstr("(the old file is untouched)")));
  EXPECT_THAT(of_new, testing::Not(HasSubstr("old file")));
  EXPECT_EQ(read_text(folder_ / "a"), "old");
  EXPECT_EQ(names(), (std::set<std::string>{"a"}));
}

// A pipe takes 64 KiB at a time, and a timer interrupts system calls throughout.
TEST_F(Files, AreWrittenOnWhereSignalsBreakCallsOff) {
  const fs::path fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  struct sigaction ignoring {
  }, before{};
  ignoring.sa_handler = [](int) {};
  sigaction(SIGALRM, &ignoring, &before);  // without SA_RESTART, like the programs' handlers
  const itimerval often{{0, 500}, {0, 500}}, never{};
  const std::string text(1 << 20, 'x');
  std::string got;
  std::jthread reader([&] {
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, nullptr);  // only the writer gets them
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::ifstream in(fifo);
    for (std::string block(1 << 12, '\0'); in.read(block.data(), 1 << 12);) {
      got += block;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  setitimer(ITIMER_REAL, &often, nullptr);
  write_text(fifo, text);
  setitimer(ITIMER_REAL, &never, nullptr);
  reader.join();
  sigaction(SIGALRM, &before, nullptr);
  EXPECT_EQ(got.size(), text.size());
}

TEST_F(Files, GrowByLinesWhereTheyAreAppended) {
  plant("a", "one\n");
  AppendedFile file(folder_ / "a");
  file.write("two\n");
  file.flush();
  EXPECT_EQ(read_text(folder_ / "a"), "one\ntwo\n");
}

// ---- reading ----

TEST_F(Files, ThatCannotBeReadAreNamedWithTheReason) {
  EXPECT_THAT(error_of<DataError>([&] { read_text(folder_ / "absent"); }),
              HasSubstr((folder_ / "absent").string() + ": cannot be opened: No such file"));
  EXPECT_THAT(error_of<DataError>([&] { read_text(folder_); }), HasSubstr("is a folder, not a file"));
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(error_of<DataError>([&] { read_text(folder_ / "fifo"); }), HasSubstr("is a named pipe, not a file"));
  EXPECT_THAT(error_of<DataError>([&] { read_text("/dev/zero"); }), HasSubstr("is a device, not a file"));
}

// System errors have another type than errors of a file's contents.
TEST_F(Files, ThatTheSystemRefusesAreErrorsOfTheMachine) {
  plant("a", "text");
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  const rlimit none{0, old.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const std::string text = error_of<SystemError>([&] { read_text(folder_ / "a"); });
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_THAT(text, AllOf(HasSubstr((folder_ / "a").string()), HasSubstr("Too many open files")));
}

TEST_F(Files, HaveOneHashHoweverTheyAreRead) {
  const std::string text(700'000, 'x');
  write_text(folder_ / "a", text);
  const InputFile file(folder_ / "a");
  EXPECT_EQ(hex(file.hash(0, file.size())), file_hash(folder_ / "a"));
  EXPECT_EQ(file.hash(1000, text.size() - 1000, std::string(1000, 'x')), file.hash(0, text.size()));
  EXPECT_EQ(hex(0xabc), "0000000000000abc");
}

// ---- folders and locks ----

TEST_F(Files, LieInFoldersThatAreMadeAsFarAsTheyAreMissing) {
  make_folders(folder_ / "a/b/c/");
  make_folders(folder_ / "a/b");
  EXPECT_TRUE(fs::is_directory(folder_ / "a/b/c"));
  plant("file", "x");
  EXPECT_THAT(error_of<SystemError>([&] { make_folders(folder_ / "file/d"); }),
              HasSubstr((folder_ / "file").string() + ": this folder cannot be made"));
}

TEST_F(Files, OfALockedFolderBelongToOneProcessAndOtherErrorsAreNoOtherProcess) {
  {
    const FolderLock lock(folder_);
    EXPECT_THAT(error_of<SystemError>([&] { FolderLock second(folder_); }), HasSubstr("another process"));
  }
  const FolderLock again(folder_);
  EXPECT_THAT(error_of<SystemError>([&] { FolderLock absent(folder_ / "absent"); }),
              AllOf(HasSubstr("No such file"), testing::Not(HasSubstr("another process"))));
}

// ---- removing ----

TEST_F(Files, ThatAKilledWriterLeftAreRemovedAndNobodyElses) {
  const pid_t child = ::fork();
  if (child == 0) {
    OutputFile file(folder_ / "a");
    file.write(std::as_bytes(std::span("half", 4)));
    ::_exit(0);  // like SIGKILL: no destructors
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(names(), std::set<std::string>{".a.0.avs-part"});
  plant(".b.12-0.avs-part", "of another file");
  plant(".a.thesis.avs-part", "mine");
  plant("a.part", "mine");
  fs::create_directory(folder_ / ".a.1-0.avs-part");
  remove_unfinished(folder_ / "a");
  EXPECT_EQ(names(), (std::set<std::string>{".b.12-0.avs-part", ".a.thesis.avs-part", "a.part", ".a.1-0.avs-part"}));
}

TEST_F(Files, LeftByAKilledWriterAreGoneAfterTheNextOneAndThoseUnderWayAreNot) {
  const pid_t child = ::fork();
  if (child == 0) {
    OutputFile file(folder_ / "a");
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(names(), std::set<std::string>{".a.0.avs-part"});
  OutputFile first(folder_ / "a"), second(folder_ / "a");
  EXPECT_EQ(names(), (std::set<std::string>{".a.0.avs-part", ".a.1.avs-part"}));
  write_text(folder_ / "a", "third");
  first.write(std::as_bytes(std::span("first", 5)));
  first.commit();
  EXPECT_EQ(read_text(folder_ / "a"), "first");
  second.commit();
  EXPECT_EQ(names(), std::set<std::string>{"a"});
}

TEST_F(Files, AreRemovedOnceAndAbsentOnesAreWell) {
  plant("a", "x");
  remove_file(folder_ / "a");
  remove_file(folder_ / "a");
  EXPECT_TRUE(names().empty());
  plant("d", "x");
  EXPECT_THAT(error_of<SystemError>([&] { remove_file(folder_ / "d/e"); }), HasSubstr("cannot be removed"));
}

}  // namespace
}  // namespace avs
