// safetensors, zip archives and pickles with false headers. Each is given to a program, which prints one line and exits
// with 1, quickly and with little memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <algorithm>
#include <chrono>

#include "models/weights/source.h"
#include "tests/apps/run_program.h"
#include "tests/models/weights/torch_writer.h"

namespace avs {
namespace {

using golden::number;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::string_literals;

// Peak memory of this process's child programs so far, in bytes.
int64_t most_memory_of_programs() {
  struct rusage usage {};
  getrusage(RUSAGE_CHILDREN, &usage);
  return usage.ru_maxrss * 1024;
}

void expect_lie(const std::string& name, const std::string& bytes, const std::string& words) {
  SCOPED_TRACE(words);
  const auto file = golden::written(name, bytes);
  const auto start = std::chrono::steady_clock::now();
  const ProgramResult result = run_program(
      "import_weights",
      str("--model vis-conv --width 0.01 --in ", file.string(), " --out ", golden::file("never.safetensors").string()));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("import_weights: "), HasSubstr(words), Not(HasSubstr(".cpp"))));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  std::filesystem::remove(file);
}

// ---- safetensors ----

void expect_header(const std::string& header, const std::string& words) {
  expect_lie("lie.safetensors", number(header.size(), 8) + header + std::string(24, '\0'), words);
}

TEST(Lies, OfASafetensorsHeader) {
  const auto entry = [](const std::string& shape, const std::string& offsets) {
    return R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  expect_header(R"({"a":)" + entry("[6]", "[0,240]") + "}", "cut short");
  expect_header(R"({"a":)" + entry("[7]", "[0,24]") + "}", "its type and shape make 28");
  expect_header(R"({"a":)" + entry("[-6]", "[0,24]") + "}", "negative");
  expect_header(R"({"a":)" + entry("[4611686018427387904,4]", "[0,24]") + "}", "overflows");
  expect_header(R"({"a":)" + entry("[3]", "[0,12]") + R"(,"b":)" + entry("[4]", "[8,24]") + "}", "overlaps");
  expect_header(R"({"a":)" + entry("[2]", "[0,8]") + R"(,"b":)" + entry("[2]", "[16,24]") + "}", "a hole");
  expect_header(R"({"a":)" + entry("[3]", "[0,12]") + R"(,"a":)" + entry("[3]", "[12,24]") + "}", "occurs twice");
  expect_header(R"({"a":)" + std::string(100'000, '['), "does not belong");
  expect_header(R"({"a":)" + entry("[6]", "[24,0]") + "}", "begins at offset 24");
  expect_header(R"({"__metadata__":null,"a":null})", "null does not belong");
  expect_lie("cut.safetensors", number(16'000, 8) + "{\"a\":", "truncated");
  expect_lie("short.safetensors", golden::bytes_of(golden::file("convnext_timm.safetensors")).substr(0, 500),
             "truncated");
}

// More tensors than any network has: refused before they are all listed.
TEST(Lies, OfASafetensorsFileWithHundredsOfThousandsOfTensors) {
  std::string header = "{";
  for (int i = 0; i < 400'000; ++i)
    header += str(i == 0 ? "" : ",", "\"t", i, R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})");
  const int64_t before = most_memory_of_programs();
  const auto bytes = static_cast<int64_t>(header.size());
  expect_lie("many.safetensors", number(header.size() + 1, 8) + header + "}", "more than 100000 tensors");
  EXPECT_LT(most_memory_of_programs() - before, bytes + (64 << 20));
}

// ---- pickles and their storages ----

using golden::torch::Described;
using golden::torch::dictionary;
using golden::torch::tensor;
using golden::torch::text;

// A stream with one storage of six numbers.
std::string stream(const std::string& state_dict, uint64_t count = 6) {
  return golden::torch::stream(state_dict, {"0"}, number(count, 8) + std::string(24, '\0'));
}
void expect_tensor(const Described& d, const std::string& words) {
  expect_lie("lie.pth", stream(dictionary(text("w") + tensor(d))), words);
}

TEST(Lies, OfATensorsDescription) {
  expect_tensor({.first = -1}, "begins before its storage");
  expect_tensor({.strides = {-3, 1}}, "negative stride");
  expect_tensor({.shape = {-2, 3}}, "an extent of -2");
  expect_tensor({.shape = {int64_t{1} << 62, int64_t{1} << 62}}, "more elements than can be counted");
  expect_tensor({.count = -6}, "a storage of -6 elements");
  expect_tensor({.shape = {2, 3, 1}}, "extents without strides");
  expect_lie("twice.pth", stream(dictionary(text("w") + tensor({}) + text("w") + tensor({}))), "occurs twice");
  std::string nested = dictionary(text("w") + tensor({}));
  for (int i = 0; i < 40; ++i) nested = dictionary(text("d") + nested);
  expect_lie("deep.pth", stream(nested), "nested too deeply");
  expect_lie("long.pth", stream(dictionary(text("w") + tensor({})), uint64_t{1} << 61), "truncated");
  expect_lie("one_short.pth", stream(dictionary(text("w") + tensor({})), 7), "truncated");
}

// Detected when values are read, which happens only if the shape is the one a network needs.
TEST(Lies, OfATensorThatLeavesItsStorage) {
  const auto error_of_values = [](const Described& d) {
    const auto file = golden::written("leaves.pth", stream(dictionary(text("w") + tensor(d))));
    return golden::error_of<DataError>([&] { weights::open_weight_file(file).tensors.at(0).read(); });
  };
  EXPECT_THAT(error_of_values({}), HasSubstr("no error"));
  EXPECT_THAT(error_of_values({.first = 1}), HasSubstr("reaches beyond the 6 elements"));
  EXPECT_THAT(error_of_values({.strides = {6, 1}}), HasSubstr("reaches beyond"));
  EXPECT_THAT(error_of_values({.strides = {INT64_MAX, INT64_MAX}}), HasSubstr("reaches beyond"));
  EXPECT_THAT(error_of_values({.shape = {1 << 20, 3}}), HasSubstr("reaches beyond"));
}

// ---- zip archives ----

struct Member {
  std::string name, stored;
  uint64_t bytes;
  bool deflated = false;
  uint64_t header_shift = 0;  // added to the header's offset in the directory
  std::string extra = {};     // extra field of the directory's entry
  uint64_t checksum = 0;
};

std::string deflated(const std::string& bytes) {
  std::string made(compressBound(bytes.size()), '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(made.data());
  stream.avail_out = static_cast<uInt>(made.size());
  deflate(&stream, Z_FINISH);
  made.resize(stream.total_out);
  deflateEnd(&stream);
  return made;
}

std::string zip_of(const std::vector<Member>& members, const std::string& end_disks = number(0, 4)) {
  std::string file, directory;
  for (const Member& m : members) {
    const std::string sizes =
        number(m.checksum, 4) + number(m.stored.size(), 4) + number(m.bytes, 4) + number(m.name.size(), 2);
    const std::string begin = number(20, 2) + number(0, 2) + number(m.deflated ? 8 : 0, 2) + number(0, 4);
    directory += "PK\1\2" + number(20, 2) + begin + sizes + number(m.extra.size(), 2) + number(0, 2) + number(0, 2) +
                 number(0, 2) + number(0, 4) + number(file.size() + m.header_shift, 4) + m.name + m.extra;
    file += "PK\3\4" + begin + sizes + number(0, 2) + m.name + m.stored;
  }
  return file + directory + "PK\5\6" + end_disks + number(members.size(), 2) + number(members.size(), 2) +
         number(directory.size(), 4) + number(file.size(), 4) + number(0, 2);
}

TEST(Lies, OfAZipArchive) {
  const std::string whole = zip_of({{"a/data.pkl", "N.", 2}});
  expect_lie("lie.zip", whole, "checksum");
  expect_lie("lie.zip", zip_of({{"a/data.pkl", "N.", 2, false, 5}}), "not where the directory says");
  expect_lie("lie.zip", zip_of({{"a/data.pkl", "N.", 2}}, number(1, 2) + number(1, 2)), "spread over several files");
  // zip64: an entry larger than 32 bits allow, a directory outside the file, and an invalid directory.
  const std::string size64 = number(1, 2) + number(8, 2) + number(uint64_t{1} << 60, 8);
  expect_lie("lie.zip", zip_of({{"a/data.pkl", "xx", UINT32_MAX, true, 0, size64}}),
             "would unpack to 1152921504606846976");
  const size_t end = whole.size() - 22;
  for (const auto& [at, words] :
       {std::pair{uint64_t{1} << 60, "truncated or damaged"}, {uint64_t{0}, "not where it should be"}})
    expect_lie("lie.zip",
               whole.substr(0, end) + "PK\6\7" + number(0, 4) + number(at, 8) + number(1, 4) + whole.substr(end),
               words);
}

// ---- files that would take much memory or time ----

std::string many_values() {  // one value per two bytes
  std::string values;
  for (int i = 0; i < 2'000'000; ++i) values += "N0";
  return values;
}
std::string packed(const std::string& pickle) {
  const uint64_t checksum = crc32_z(0, reinterpret_cast<const Bytef*>(pickle.data()), pickle.size());
  return zip_of({{"a/data.pkl", deflated(pickle), pickle.size(), true, 0, "", checksum}});
}

TEST(Lies, OfASmallFileThatWouldBecomeALargeOne) {
  const std::string values = stream(many_values() + dictionary(text("w") + tensor({}))),
                    packed_values = packed("\x80\x02" + many_values() + "}."),
                    zeros = packed(std::string(100'000'000, '\0'));
  expect_lie("no.pth", "\x80\x02}.", "not one of torch.save");
  const int64_t before = most_memory_of_programs();  // a child starts with its parent's memory: keep it small
  expect_lie("values.pth", values, "more values than any state dict");
  expect_lie("values.zip", packed_values, "more values than any state dict");
  expect_lie("zeros.zip", zeros, "would unpack to 100000000");
  EXPECT_LT(most_memory_of_programs() - before, 64 << 20) << "beside what the program takes for any file";
}

// Files that once took seconds or hundreds of megabytes; they are also seeds of the fuzzer. Every array is read or
// refused.
TEST(Lies, ThatWereFoundOnceStayFound) {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(AVS_SOURCE_DIR "/tests/fuzz/regressions")) {
    if (!entry.is_regular_file()) continue;
    SCOPED_TRACE(entry.path().string());
    ++files;
    const auto start = std::chrono::steady_clock::now();
    try {
      for (const weights::SourceTensor& tensor : weights::open_weight_file(entry.path()).tensors) tensor.read();
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), Not(HasSubstr("\n")));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(3));
  }
  EXPECT_GE(files, 3);
}

}  // namespace
}  // namespace avs
