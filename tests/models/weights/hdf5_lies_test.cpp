// HDF5 files with wrong structure: each gives one DataError before much is read or allocated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/apps/run_program.h"
#include "tests/models/weights/hdf5_writer.h"

namespace avs {
namespace {

using golden::chunked;
using golden::number;
using golden::ramp;
using golden::Writer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string error_of_lie(const std::string& bytes) { return golden::error_of_arrays(golden::written("lie.h5", bytes)); }

// `bytes`, overwritten with `other` at `place`.
std::string with(std::string bytes, size_t place, const std::string& other) {
  EXPECT_LE(place + other.size(), bytes.size());
  return bytes.replace(place, other.size(), other);
}

// Position of the only occurrence of `pattern`.
size_t place_of(const std::string& bytes, const std::string& pattern) {
  const size_t at = bytes.find(pattern);
  EXPECT_NE(at, std::string::npos);
  EXPECT_EQ(bytes.find(pattern, at + 1), std::string::npos);
  return at;
}

// One contiguous array x of 3 x 5 x 7, and the positions of the fields of its layout message.
struct Contiguous {
  std::string bytes;
  size_t address, size, extents;
};
Contiguous contiguous() {
  Writer file("contiguous.h5");
  file.array("x", {3, 5, 7}, ramp(105));
  Contiguous made{file.bytes(), 0, 0, 0};
  made.size = place_of(made.bytes, number(420, 8));
  made.address = made.size - 8;
  made.extents = made.bytes.find(number(3, 8) + number(5, 8) + number(7, 8));  // the largest extents follow it
  return made;
}

TEST(Hdf5Lies, AboutWhereAnArrayLiesAndHowLongItIs) {
  const Contiguous x = contiguous();
  EXPECT_THAT(error_of_lie(with(x.bytes, x.address, number(x.bytes.size() - 100, 8))),
              HasSubstr("truncated or damaged"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.address, number(UINT64_MAX - 7, 8))), HasSubstr("truncated or damaged"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.size, number(416, 8))), HasSubstr("416 bytes are stored, 420 are needed"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.size, number(uint64_t{1} << 60, 8))), HasSubstr("420 are needed"));
}

TEST(Hdf5Lies, AboutExtents) {
  const Contiguous x = contiguous();
  EXPECT_THAT(error_of_lie(with(x.bytes, x.extents, number(uint64_t{1} << 62, 8))),
              HasSubstr("more elements than can be counted"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.extents, number(UINT64_MAX, 8))), HasSubstr("above 2^63"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.extents, number(1'000'000, 8))), HasSubstr("are needed"));
}

TEST(Hdf5Lies, AboutArraysThatShareTheirBytes) {
  Writer file("two.h5");
  file.array("x", {100}, ramp(100));
  file.array("y", {101}, ramp(101));
  const std::string bytes = file.bytes();
  const size_t x = place_of(bytes, number(400, 8)) - 8, y = place_of(bytes, number(404, 8)) - 8;
  EXPECT_THAT(error_of_lie(with(bytes, y, bytes.substr(x, 8))), HasSubstr("overlaps"));
}

// An array of four chunks. Entry i of its index begins at byte entry(i): a 32-byte key, then an address.
struct Chunks {
  std::string bytes;
  size_t node;
  size_t entry(size_t i) const { return node + 24 + 40 * i; }
};
Chunks chunks() {
  Writer file("four_chunks.h5");
  file.array("x", {8, 8}, ramp(64), H5T_IEEE_F32LE, chunked({4, 4}));
  Chunks made{file.bytes(), 0};
  made.node = place_of(made.bytes, std::string("TREE\1\0", 6));
  return made;
}

TEST(Hdf5Lies, InTheIndexOfChunks) {
  const Chunks x = chunks();
  EXPECT_THAT(error_of_lie(x.bytes), HasSubstr("no error"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.entry(1) + 8, number(0, 8) + number(0, 8))), HasSubstr("occurs twice"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.entry(1) + 8, number(64, 8))), HasSubstr("lies outside"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.entry(1) + 8, number(1, 8))), HasSubstr("lies outside"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.entry(0), number(60, 4))), HasSubstr("60 bytes instead of 64"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.entry(0) + 32, number(x.bytes.size(), 8))),
              HasSubstr("truncated or damaged"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.node + 6, number(3, 2))), HasSubstr("3 of 4 chunks"));
  // An inner node that points to itself.
  EXPECT_THAT(error_of_lie(with(with(x.bytes, x.node + 5, "\1"), x.entry(0) + 32, number(x.node, 8))),
              HasSubstr("in a circle"));
  EXPECT_THAT(error_of_lie(with(x.bytes, x.node, "TREF")), HasSubstr("index of its chunks is damaged"));
}

TEST(Hdf5Lies, AboutACheckedChunk) {
  Writer file("checked.h5");
  const hid_t creation = chunked({4, 4});
  H5Pset_fletcher32(creation);
  file.array("x", {4, 4}, ramp(16), H5T_IEEE_F32LE, creation);
  const std::string bytes = file.bytes();
  EXPECT_THAT(error_of_lie(bytes), HasSubstr("no error"));
  const float seven = 7;
  const size_t value = place_of(bytes, std::string(reinterpret_cast<const char*>(&seven), 4));
  EXPECT_THAT(error_of_lie(with(bytes, value + 2, "\1")), HasSubstr("checksum"));
}

TEST(Hdf5Lies, InAnObjectsHeaderAndAGroupsNames) {
  Writer file("group.h5");
  file.group("first_group");
  file.group("other_group");
  const std::string bytes = file.bytes();
  EXPECT_THAT(error_of_lie(with(bytes, place_of(bytes, "other_group"), "first_group")), HasSubstr("two members"));
  const size_t symbols = bytes.find("SNOD");  // the root's: the library writes it first
  EXPECT_THAT(error_of_lie(with(bytes, symbols + 6, number(60000, 2))), HasSubstr("truncated or damaged"));
  EXPECT_THAT(error_of_lie(with(bytes, symbols + 8, number(1 << 20, 8))), HasSubstr("outside of its heap"));
  const uint64_t root = 96;  // after the superblock
  ASSERT_EQ(bytes[root], 1);
  EXPECT_THAT(error_of_lie(with(bytes, root + 8, number(0x7fffffff, 4))), HasSubstr("truncated or damaged"));
  EXPECT_THAT(error_of_lie(with(bytes, root, "\7")), HasSubstr("is not an object header"));
}

TEST(Hdf5Lies, OfGroupsThatNest) {
  Writer file("deep.h5");
  std::string path;
  for (int i = 0; i < 60; ++i) file.group(path += "/g");
  EXPECT_THAT(file.error(), AllOf(HasSubstr("nested too deeply"), Not(HasSubstr("\n"))));
}

// 24 arrays of zeros; each takes a thousandth of its size in the file.
TEST(Hdf5Lies, ThatUnpackToHundredsOfTimesTheFile) {
  Writer file("bomb.h5");
  for (int i = 0; i < 24; ++i) {
    const hid_t creation = chunked({1024, 1024});
    H5Pset_deflate(creation, 9);
    file.array(str("x", i), {1024, 1024}, std::vector<float>(1 << 20), H5T_IEEE_F32LE, creation);
  }
  EXPECT_LT(file.bytes().size(), 200'000u);
  EXPECT_THAT(file.error(), HasSubstr("eight times its size"));
}

TEST(Hdf5Lies, OfChunksThatAreLargerThanTheirArray) {
  Writer file("large_chunks.h5");
  const hsize_t shape[] = {3, 3}, most[] = {H5S_UNLIMITED, H5S_UNLIMITED};
  const hid_t space = H5Screate_simple(2, shape, most), creation = chunked({4096, 2048});
  H5Pset_deflate(creation, 9);
  const hid_t set = H5Dcreate2(file.file(), "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, ramp(9).data());
  H5Dclose(set);
  EXPECT_THAT(file.error(), HasSubstr("than it is"));
}

// The user sees one line.
TEST(Hdf5Lies, EndAProgramWithOneLineAndCodeOne) {
  Writer deep("deep_for_program.h5");
  std::string path;
  for (int i = 0; i < 60; ++i) deep.group(path += "/g");
  const Contiguous x = contiguous();
  const std::pair<std::string, const char*> lies[] = {
      {deep.bytes(), "nested too deeply"},
      {with(x.bytes, x.extents, number(uint64_t{1} << 62, 8)), "more elements than can be counted"},
      {with(x.bytes, 96 + 8, number(0x7fffffff, 4)), "truncated or damaged"},
      {x.bytes.substr(0, x.bytes.size() - 1), "truncated"}};
  for (const auto& [bytes, words] : lies) {
    const ProgramResult result =
        run_program("import_weights", str("--model vis-inc --in ", golden::written("lie.h5", bytes).string(), " --out ",
                                          golden::file("never.safetensors").string()));
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(words));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

}  // namespace
}  // namespace avs
