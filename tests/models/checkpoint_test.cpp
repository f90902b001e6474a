#include "models/checkpoint.h"

#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>

#include "layers/conv_bn.h"
#include "layers/linear.h"
#include "models/file.h"
#include "tests/models/small_backbones.h"
#include "tests/models/temporary_directory.h"

namespace avs {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

class CheckpointFile : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  fs::path file_ = directory_.path() / "net.safetensors";

  // Writes a file with this header and data; its length field is correct unless `length` is given.
  void write(const std::string& header, const std::string& data, std::optional<uint64_t> length = std::nullopt) const {
    const uint64_t n = length.value_or(header.size());
    std::ofstream out(file_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&n), 8);
    out << header << data;
  }
  // The error when the file is read; it always names the file.
  std::string message() const {
    const std::string text = error_of<DataError>([&] { Checkpoint::load(file_); });
    EXPECT_THAT(text, HasSubstr(file_.string()));
    return text;
  }
  std::string message_of(const std::string& header, const std::string& data = "") const {
    write(header, data);
    return message();
  }
};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Checkpoint one_of_each_type() {
  Checkpoint c;
  c.tensors["a.f32"] = Tensor::from({2, 2}, std::span<const float>(std::vector<float>{1, -2.5f, 3e-38f, 3e38f}));
  c.tensors["b.i32"] = Tensor::from({3}, std::span<const int32_t>(std::vector<int32_t>{1, -2, 2147483647}));
  c.tensors["c.u8"] = Tensor::from({5}, std::span<const uint8_t>(std::vector<uint8_t>{0, 1, 2, 254, 255}));
  c.tensors["d.bf16"] = Tensor::zeros({2}, DType::BF16);
  c.tensors["e.f16"] = Tensor::zeros({0, 4}, DType::F16);
  c.tensors["f.scalar"] = Tensor::full({}, 7.0f);
  c.metadata = {{"step", "12"}, {"text", "ä \"quoted\" \n line"}};
  return c;
}

// ---- valid files ----

TEST_F(CheckpointFile, ComesBackAsItWasSavedByteByByte) {
  const Checkpoint saved = one_of_each_type();
  saved.save(file_);
  const Checkpoint loaded = Checkpoint::load(file_);
  EXPECT_EQ(loaded.metadata, saved.metadata);
  EXPECT_EQ(Checkpoint::load_metadata(file_), saved.metadata);
  ASSERT_EQ(loaded.tensors.size(), saved.tensors.size());
  for (const auto& [name, tensor] : saved.tensors) {
    const Tensor& back = loaded.tensors.at(name);
    EXPECT_EQ(back.shape(), tensor.shape()) << name;
    EXPECT_EQ(back.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(std::memcmp(back.raw(), tensor.raw(), tensor.bytes()), 0) << name;
  }
  const std::string first = bytes_of(file_);
  loaded.save(file_);
  EXPECT_EQ(bytes_of(file_), first);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(CheckpointFile, HasTheBytesOfTheFormat) {
  Checkpoint c;
  c.tensors["w"] = Tensor::from({1}, std::span<const float>(std::vector<float>{1.0f}));
  c.metadata["k"] = "v";
  c.save(file_);
  const std::string bytes = bytes_of(file_), key = R"("avscene.xxh3":")";
  const std::string checksum = bytes.substr(bytes.find(key) + key.size(), 16);
  const std::string header =
      str(R"({"__metadata__":{)", key, checksum, R"(","k":"v"},"w":{"data_offsets":[0,4],"dtype":"F32","shape":[1]}})");
  std::string expected(8, '\0');
  const size_t padded = (header.size() + 7) / 8 * 8;
  expected[0] = static_cast<char>(padded);
  expected += header + std::string(padded - header.size(), ' ') + std::string("\0\0\x80\x3f", 4);
  EXPECT_EQ(bytes, expected);
  std::string hashed = expected.substr(8);
  hashed.replace(hashed.find(key) + key.size(), 16, 16, '0');
  Hash hash;
  hash.add(hashed.data(), hashed.size());
  EXPECT_EQ(checksum, hex(hash.value()));
}

// If the name of the checksum's entry is damaged, the file counts as one without a checksum.
TEST_F(CheckpointFile, EveryByteOfItIsUnderTheChecksum) {
  one_of_each_type().save(file_);
  const std::string whole = bytes_of(file_);
  EXPECT_TRUE(Checkpoint::load(file_).was_checked);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(file_, std::ios::binary) << damaged;
    try {
      EXPECT_FALSE(Checkpoint::load(file_).was_checked) << "byte " << at;
      EXPECT_EQ(damaged.find("avscene.xxh3"), std::string::npos) << "byte " << at;
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(file_.string()));
    }
  }
  std::string tensor = whole;
  tensor.back() = static_cast<char>(tensor.back() ^ 4);
  write_text(file_, tensor);
  EXPECT_THAT(error_of<DataError>([&] { Checkpoint::load(file_); }), HasSubstr(": damaged: some of the"));
}

// Files of other programs and of our oldest versions have no checksum.
TEST_F(CheckpointFile, WithoutAChecksumIsReadUnchecked) {
  for (const std::string metadata :
       {R"("__metadata__":{"k":"v"},)", "", R"("__metadata__":{"avscene.xxh3":"odd","k":"v"},)"}) {
    write(str("{", metadata, R"("w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})"), "ab");
    const Checkpoint c = Checkpoint::load(file_);
    EXPECT_FALSE(c.was_checked);
    EXPECT_EQ(c.tensors.at("w").data<uint8_t>()[1], 'b');
    EXPECT_EQ(c.metadata.contains("k"), !metadata.empty());
  }
}

// A string that looks like the checksum's entry is a string.
TEST_F(CheckpointFile, AChecksumsLookalikeInTheTextIsNone) {
  Checkpoint c;
  c.metadata["a"] = R"("avscene.xxh3":"1234567890123456")";
  c.tensors[R"(x"avscene.xxh3":"12)"] = Tensor::zeros({1});
  c.save(file_);
  const Checkpoint back = Checkpoint::load(file_);
  EXPECT_TRUE(back.was_checked);
  EXPECT_EQ(back.metadata, c.metadata);
}

TEST_F(CheckpointFile, KeepsEveryTensorAlignedToItsElements) {
  one_of_each_type().save(file_);
  const std::string text = bytes_of(file_);
  EXPECT_LT(text.find("[0,16]"), text.size());  // the four floats first, the bytes last
  EXPECT_LT(text.find("[36,41]"), text.size());
}

TEST_F(CheckpointFile, WideTypesAreNarrowedWhereTheyFit) {
  const int64_t steps[] = {5, -7};
  const double values[] = {0.1, 1e300};
  const auto text = [](const void* data, size_t bytes) { return std::string(static_cast<const char*>(data), bytes); };
  write(
      R"({"n":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},"v":{"dtype":"F64","shape":[1],"data_offsets":[16,24]}})",
      text(steps, 16) + text(values, 8));
  const Checkpoint c = Checkpoint::load(file_);
  EXPECT_EQ(c.tensors.at("n").dtype(), DType::I32);
  EXPECT_EQ(c.tensors.at("n").data<int32_t>()[1], -7);
  EXPECT_EQ(c.tensors.at("v").item(), 0.1f);

  const int64_t large[] = {1, int64_t{1} << 31};
  EXPECT_THAT(message_of(R"({"n":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}})", text(large, 16)),
              AllOf(HasSubstr("2147483648 does not fit into I32"), HasSubstr("'n'")));
  EXPECT_THAT(message_of(R"({"v":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})", text(values, 16)),
              HasSubstr("does not fit into F32"));
}

// ---- corrupt files and their messages ----

TEST_F(CheckpointFile, TooShortOrCutFilesAreRefused) {
  std::ofstream(file_) << "abc";
  EXPECT_THAT(error_of<DataError>([&] { Checkpoint::load(file_); }), HasSubstr("has 3 bytes"));
  write("{}", "", 1000);
  EXPECT_THAT(message(), HasSubstr("truncated: its header should have 1000 bytes and the file ends after 10"));
  write("{}", "", 100'000'001);
  EXPECT_THAT(message(), HasSubstr("the format allows 100000000"));
  one_of_each_type().save(file_);
  fs::resize_file(file_, fs::file_size(file_) - 1);
  EXPECT_THAT(message(), HasSubstr("cut short or damaged"));
  fs::resize_file(file_, fs::file_size(file_) + 9);
  EXPECT_THAT(message(), HasSubstr("the last tensor ends here, but the file has"));
}

TEST_F(CheckpointFile, AbsentFilesAndDirectoriesAreRefused) {
  EXPECT_THAT(error_of<DataError>([&] { Checkpoint::load(file_); }), HasSubstr("No such file"));
  EXPECT_THAT(error_of<DataError>([&] { Checkpoint::load(directory_.path()); }), HasSubstr("is a folder"));
}

TEST_F(CheckpointFile, HeadersThatAreNotJsonOrNotAnObjectAreRefused) {
  EXPECT_THAT(message_of(R"({"a":)"), HasSubstr("at byte 13: the header is not JSON"));
  EXPECT_THAT(message_of("{} x"), HasSubstr("not JSON"));
  EXPECT_THAT(message_of("\xff\xfe{}"), HasSubstr("not JSON"));
  EXPECT_THAT(message_of("[1]"), HasSubstr("the header is a list, not an object"));
  EXPECT_THAT(message_of("7"), HasSubstr("the header is a number, not an object"));
}

TEST_F(CheckpointFile, NestingDeeperThanTheFormatIsRefusedAtOnce) {
  EXPECT_THAT(message_of(std::string(1'000'000, '[')), HasSubstr("not an object"));
  std::string deep = R"({"a":)";
  for (int i = 0; i < 100'000; ++i) deep += R"({"a":)";
  EXPECT_THAT(message_of(deep), HasSubstr("an object does not belong in 'a'"));
  EXPECT_THAT(message_of(R"({"a":{"shape":[[1]]}})"), HasSubstr("a list does not belong in 'a'"));
  EXPECT_THAT(message_of(R"({"__metadata__":{"k":["v"]}})"), HasSubstr("a list does not belong in '__metadata__'"));
  EXPECT_THAT(message_of(R"({"__metadata__":{"k":1}})"), HasSubstr("a number does not belong"));
  EXPECT_THAT(message_of(R"({"w":null})"), HasSubstr("null does not belong in 'w'"));
}

TEST_F(CheckpointFile, MetadataOfNullAreNone) {
  write(R"({"__metadata__":null,"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "a");
  EXPECT_TRUE(Checkpoint::load(file_).metadata.empty());
}

TEST_F(CheckpointFile, MoreTensorsThanANetworkHasAreRefused) {
  std::string header = "{";
  for (int i = 0; i <= 100'000; ++i)
    header += str(i == 0 ? "" : ",", '"', i, R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  EXPECT_THAT(message_of(header + "}"), HasSubstr("more than 100000 tensors"));
}

TEST_F(CheckpointFile, RepeatedKeysAreRefused) {
  const std::string w = R"("w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(message_of("{" + w + "," + w + "}"), HasSubstr("'w' occurs twice"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"U8","dtype":"F32"}})"), HasSubstr("'dtype' occurs twice in 'w'"));
  EXPECT_THAT(message_of(R"({"__metadata__":{"a":"1","a":"2"}})"), HasSubstr("'a' occurs twice in '__metadata__'"));
}

TEST_F(CheckpointFile, IncompleteOrSenselessEntriesAreRefused) {
  EXPECT_THAT(message_of(R"({"w":{"shape":[1],"data_offsets":[0,4]}})", "abcd"), HasSubstr("'w' lacks dtype"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", "abcd"), HasSubstr("'w' lacks shape"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"F32","shape":[1]}})", "abcd"), HasSubstr("'w' lacks data_offsets"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", "a"),
              HasSubstr("has the type BOOL"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", "a"),
              HasSubstr("-1 is negative"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}})", "a"),
              HasSubstr("not a whole number"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"U8","shape":[1,1,1,1,1,1],"data_offsets":[0,1]}})", "a"),
              HasSubstr("6 axes"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}})", "a"),
              HasSubstr("3 data_offsets"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", "a"),
              HasSubstr("begins at offset 1"));
}

TEST_F(CheckpointFile, ShapesThatOverflowAreRefused) {
  EXPECT_THAT(message_of(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
              HasSubstr("overflows"));
  EXPECT_THAT(message_of(R"({"w":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,0]}})"),
              HasSubstr("overflows"));
}

TEST_F(CheckpointFile, OffsetsMustFitShapesAndCoverTheFile) {
  const auto entry = [](const char* name, int first, int last) {
    return str('"', name, R"(":{"dtype":"U8","shape":[)", last - first, R"(],"data_offsets":[)", first, ",", last,
               "]}");
  };
  EXPECT_THAT(message_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "abcd"),
              HasSubstr("has 4 bytes, its type and shape make 8"));
  EXPECT_THAT(message_of(str("{", entry("a", 0, 3), ",", entry("b", 2, 4), "}"), "abcd"), HasSubstr("'b': overlaps"));
  EXPECT_THAT(message_of(str("{", entry("a", 0, 2), ",", entry("b", 3, 4), "}"), "abcd"),
              HasSubstr("'b': a hole lies before it"));
  EXPECT_THAT(message_of(str("{", entry("a", 0, 2), "}"), "abcd"), HasSubstr("the last tensor ends here"));
}

// ---- saving that fails ----

TEST_F(CheckpointFile, AFullDiskLeavesTheOldFileAndNothingElse) {
  one_of_each_type().save(file_);
  const std::string before = bytes_of(file_);
  Checkpoint large;
  large.tensors["w"] = Tensor::zeros({1 << 20});
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1 << 16, old.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string text = error_of<SystemError>([&] { large.save(file_); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(text,
              AllOf(HasSubstr(file_.string()), HasSubstr("cannot be written"), HasSubstr("the old file is untouched")));
  EXPECT_EQ(bytes_of(file_), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_.path()), {}), 1);
}

TEST_F(CheckpointFile, AFolderThatCannotBeWrittenIsOneClearError) {
  for (const fs::path& folder : {fs::path("/proc"), directory_.path() / "absent"})
    EXPECT_THAT(error_of<SystemError>([&] { one_of_each_type().save(folder / "net.safetensors"); }),
                AllOf(HasSubstr(folder.string()), HasSubstr("cannot be written")));
}

// ---- modules and checkpoints ----

class Net final : public Module {
 public:
  Net() : conv_(child<ConvBn>("conv", Filter{3, 4})), fc_(child<Linear>("fc", 4, 2)) {}
  ConvBn& conv_;
  Linear& fc_;
};

TEST(LoadParameters, ListsEverythingThatDoesNotFitAndChangesNothing) {
  Net net;
  initialize(net, 1);
  const std::vector<float> before = net.fc_.weight().value().to_vector();
  Checkpoint c;
  store_parameters(net, c);
  c.tensors["fc.weight"] = Tensor::zeros({2, 4});
  c.tensors["fc.bias"] = Tensor::zeros({3});
  c.tensors["conv.bn.gamma"] = Tensor::zeros({4}, DType::I32);
  c.tensors.erase("conv.bn.running_mean");
  c.tensors.erase("conv.conv.weight");
  c.tensors["AuxLogits.fc"] = Tensor::zeros({1});
  EXPECT_EQ(
      error_of<DataError>([&] { load_parameters(net, c); }),
      "the checkpoint's tensors are not the network's:\n"
      "  missing (2):\n    conv.conv.weight  [4, 1, 1, 3]\n    conv.bn.running_mean  [4]\n"
      "  unexpected (1):\n    AuxLogits.fc  [1]\n"
      "  misshapen (2):\n    conv.bn.gamma  network f32 [4], file i32 [4]\n    fc.bias  network f32 [2], file f32 [3]");
  EXPECT_EQ(net.fc_.weight().value().to_vector(), before);
}

TEST(LoadParameters, ReadsUnderAPrefixAndWidensHalves) {
  Net net;
  initialize(net, 1);
  Checkpoint c;
  store_parameters(net, c, "model.");
  c.tensors["model.fc.bias"] = Tensor::full({2}, 1.0f);
  Tensor halves = Tensor::zeros({2}, DType::BF16);
  halves.fill(0.5f);
  c.tensors["model.fc.bias"] = halves;
  c.tensors["optimizer.m"] = Tensor::zeros({1});
  load_parameters(net, c, "model.");
  EXPECT_EQ(net.fc_.bias().value().to_vector(), (std::vector<float>{0.5f, 0.5f}));
}

TEST(LoadBackbone, AFileAloneRebuildsItsNetwork) {
  const TemporaryDirectory directory;
  for (const std::string& model : backbone_names()) {
    BackboneOptions options = small_options(model);
    options.classes = 3;
    options.seed = 9;
    const auto backbone = make_backbone(options);
    Checkpoint c;
    c.metadata[kBackboneKey] = to_json(options);
    store_parameters(*backbone, c);
    c.save(directory.path() / "net.safetensors");
    const auto back = load_backbone(Checkpoint::load(directory.path() / "net.safetensors"), "net.safetensors");
    EXPECT_EQ(back->options(), options);
    backbone->eval();
    const NoGrad no_grad;
    const Tensor x = random_input(small_input(model, 2), 1);
    EXPECT_EQ(back->run(x).logits.value().to_vector(), backbone->run(x).logits.value().to_vector()) << model;
  }
}

TEST(LoadBackbone, SaysWhichFileIsNoBackboneOrTheWrongOne) {
  EXPECT_THAT(error_of<DataError>([] { load_backbone({}, "a.safetensors"); }),
              HasSubstr("a.safetensors: the metadata has no entry 'backbone'"));
  const auto backbone = make_backbone(small_options("aud-mel"));
  Checkpoint c;
  store_parameters(*backbone, c);
  c.metadata[kBackboneKey] = to_json(small_options("vis-conv"));
  EXPECT_THAT(error_of<DataError>([&] { load_backbone(c, "a.safetensors"); }),
              AllOf(HasSubstr("a.safetensors: "), HasSubstr("missing ("), HasSubstr("unexpected (")));
}

}  // namespace
}  // namespace avs
