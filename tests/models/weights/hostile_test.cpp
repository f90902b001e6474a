// Files that are no weights, weights of another network, and malicious files: each gives one DataError, never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "models/weights/import.h"
#include "models/weights/zip.h"
#include "tensor/rng.h"
#include "tests/models/weights/golden.h"

namespace avs {
namespace {

using golden::error_of;
using golden::number;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using namespace std::string_literals;

std::string error_of_file(const std::filesystem::path& file, const std::string& model = "vis-inc") {
  return error_of<DataError>(
      [&] { make_backbone_from_weights({.model = model, .classes = 3, .width = golden::kWidth}, file); });
}
std::string error_of_bytes(const std::string& bytes) { return error_of_file(golden::written("bytes.h5", bytes)); }

TEST(Impostors, EachHasAMessageOfItsOwn) {
  EXPECT_THAT(error_of_bytes("\n<!DOCTYPE html><html><head><title>Sign in</title>"),
              AllOf(HasSubstr("is a web page"), HasSubstr("Sign in")));
  EXPECT_THAT(error_of_bytes("<HTML><body>404"), HasSubstr("is a web page"));
  EXPECT_THAT(error_of_bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 114374272\n"),
              AllOf(HasSubstr("Git LFS pointer"), HasSubstr("114374272 bytes"), HasSubstr("git lfs pull")));
  EXPECT_THAT(error_of_bytes(""), HasSubstr("is empty"));
  EXPECT_THAT(error_of_bytes(" \n "), HasSubstr("white space"));
  EXPECT_THAT(error_of_bytes("{\"weight_map\": {}}"), HasSubstr("JSON"));
  EXPECT_THAT(error_of_bytes("<?xml version=\"1.0\"?><Error>AccessDenied</Error>"), HasSubstr("answer of a server"));
  EXPECT_THAT(error_of_bytes("\x1f\x8b\x08"s), HasSubstr("gzip"));
  EXPECT_THAT(error_of_bytes("\x93NUMPY\x01\x00"s), HasSubstr("NumPy array"));
  EXPECT_THAT(error_of_bytes(std::string(257, 'a') + "ustar" + std::string(250, 0)), HasSubstr("tar archive"));
  EXPECT_THAT(error_of_bytes("hello, I am no network"), HasSubstr("is no weight file"));
  EXPECT_THAT(error_of_bytes("\x80\x02K\x01."s), HasSubstr("not one of torch.save"));
  EXPECT_THAT(error_of_file(golden::folder()), HasSubstr("is a folder"));
  EXPECT_THAT(error_of_file(golden::file("absent.h5")), HasSubstr("cannot be opened"));
  EXPECT_THAT(error_of_file("/dev/zero"), HasSubstr("is a device, not a file"));
}

TEST(Misfits, AnotherNetworkIsSaidToBeThatNetwork) {
  EXPECT_THAT(error_of_file(golden::file("convnext_timm.safetensors"), "vis-inc"),
              AllOf(HasSubstr("holds ConvNeXt-Tiny"), HasSubstr("which is vis-conv"), Not(HasSubstr("\n"))));
  EXPECT_THAT(error_of_file(golden::file("inception_keras_legacy.h5"), "vis-conv"),
              AllOf(HasSubstr("holds InceptionV3"), Not(HasSubstr("\n"))));
}

// Error for timm's ConvNeXt after `change` modified its tensors.
template <typename Change>
std::string error_of_changed(Change&& change) {
  Checkpoint changed = Checkpoint::load(golden::file("convnext_timm.safetensors"));
  change(changed.tensors);
  changed.save(golden::file("changed.safetensors"));
  return error_of_file(golden::file("changed.safetensors"), "vis-conv");
}

TEST(Misfits, AnotherDepthIsNamed) {
  const std::string error = error_of_changed([](auto& tensors) {
    std::vector<std::pair<std::string, Tensor>> added;
    const std::string last = "stages.2.blocks.8.";
    for (const auto& [name, tensor] : tensors)
      if (name.starts_with(last))
        for (int block = 9; block < 27; ++block)
          added.emplace_back(str("stages.2.blocks.", block, ".", name.substr(last.size())), tensor);
    tensors.insert(added.begin(), added.end());
    tensors["stages.0.blocks.0.conv_dw.weight"] = Tensor::zeros({96, 1, 7, 7});
  });
  // The message is the same for any requested network.
  EXPECT_THAT(error_of_file(golden::file("changed.safetensors"), "vis-inc"), HasSubstr("holds ConvNeXt-Small"));
  EXPECT_THAT(error, AllOf(HasSubstr("holds ConvNeXt-Small"), HasSubstr("3, 3, 27, 3"), Not(HasSubstr("\n"))));
}

TEST(Misfits, AnotherWidthIsOneLine) {
  for (const char* name : {"inception_torch.pth", "convnext_keras3_top.keras"}) {
    const bool inception = std::string(name).starts_with("inception");
    const std::string error = error_of<DataError>([&] {
      make_backbone_from_weights({.model = inception ? "vis-inc" : "vis-conv", .width = 0.3}, golden::file(name));
    });
    EXPECT_THAT(error, AllOf(HasSubstr("of another width than the network's, which is 0.3"), HasSubstr("file ["),
                             Not(HasSubstr("\n"))));
  }
}

TEST(Misfits, OneErrorListsEverythingThatDoesNotFit) {
  const std::string error = error_of_changed([](auto& tensors) {
    tensors.erase("stem.0.weight");
    tensors.erase("stages.1.downsample.1.bias");
    tensors["stages.3.blocks.2.gamma"] = Tensor::zeros({9});
    tensors["stages.0.blocks.0.grn.weight"] = Tensor::zeros({4});
  });
  EXPECT_THAT(error, AllOf(HasSubstr("nearest known layout is ConvNeXt-Tiny, safetensors with timm's names"),
                           HasSubstr("missing (2):"), HasSubstr("stem.0.weight  [8, 3, 4, 4]  (stem.conv.weight)"),
                           HasSubstr("stages.1.downsample.1.bias")));
  EXPECT_THAT(error, AllOf(HasSubstr("unexpected (1):"), HasSubstr("stages.0.blocks.0.grn.weight  [4]"),
                           HasSubstr("misshapen (1):"), HasSubstr("stages.3.blocks.2.gamma  file [9], needed [8]")));
}

TEST(Misfits, AnUnknownNetworkIsToldTheNearestLayout) {
  Checkpoint other;
  for (int i = 0; i < 20; ++i) other.tensors[str("layer", i, ".weight")] = Tensor::zeros({2});
  other.save(golden::file("other.safetensors"));
  EXPECT_THAT(error_of_file(golden::file("other.safetensors")),
              AllOf(HasSubstr("of no network known here"), HasSubstr("layer0.weight"), HasSubstr("nearest is")));
}

TEST(Misfits, NumbersThatNoWeightIsAreRefused) {
  EXPECT_THAT(error_of_changed([](auto& tensors) { tensors["stem.1.bias"].fill(std::nanf("")); }),
              AllOf(HasSubstr("stem.1.bias"), HasSubstr("nan")));
}

TEST(Misfits, LeaveTheNetworkAsItWas) {
  const auto network = make_backbone({.model = "vis-conv", .classes = 3, .width = golden::kWidth});
  const auto before = network->parameters().front()->variable.value().to_vector();
  error_of_changed([](auto& tensors) { tensors.erase("head.norm.bias"); });
  EXPECT_THROW(golden::load(*network, golden::file("changed.safetensors")), DataError);
  EXPECT_EQ(network->parameters().front()->variable.value().to_vector(), before);
}

// ---- damage ----

const std::vector<std::string>& files() {
  static const std::vector<std::string> names = {
      "inception_keras_legacy.h5", "convnext_keras3_top.keras", "convnext_keras3_top_no_names.weights.h5",
      "convnext_timm.safetensors", "convnext_timm_legacy.pth",  "convnext_torchvision.pth"};
  return names;
}

TEST(Damage, TruncationAnywhereIsOneError) {
  for (const std::string& name : files()) {
    const std::string whole = golden::bytes_of(golden::file(name));
    const auto network = make_backbone({.model = golden::model_of(name), .classes = 3, .width = golden::kWidth});
    Rng rng(1);
    for (int i = 0; i < 25; ++i) {
      const auto kept =
          i == 0 ? whole.size() - 1 : static_cast<size_t>(rng.uniform() * static_cast<double>(whole.size()));
      const auto file = golden::written("cut.bin", whole.substr(0, kept));
      const std::string error = error_of<DataError>([&] { golden::load(*network, file); });
      EXPECT_THAT(error, AllOf(HasSubstr("cut.bin"), Not(HasSubstr("\n")))) << name << " cut at " << kept;
    }
  }
}

// Random changes of bytes, mostly in the first and last kilobytes, which hold the structure. The result must be weights
// or one DataError; a crash, another exception or a long run fails the test.
TEST(Damage, ChangedBytesNeverCrashOrHang) {
  for (const std::string& name : files()) {
    const std::string whole = golden::bytes_of(golden::file(name));
    const auto network = make_backbone({.model = golden::model_of(name), .classes = 3, .width = golden::kWidth});
    Rng rng(2);
    const auto below = [&](size_t bound) { return static_cast<size_t>(rng.uniform() * static_cast<double>(bound)); };
    int refused = 0;
    for (int i = 0; i < 100; ++i) {
      std::string changed = whole;
      for (size_t n = 1 + below(8); n-- > 0;) {
        const size_t near = std::min<size_t>(4096, whole.size());
        const size_t at = i % 3 == 0 ? below(near) : i % 3 == 1 ? whole.size() - 1 - below(near) : below(whole.size());
        changed[at] = below(4) == 0 ? static_cast<char>(0xff) : static_cast<char>(below(256));
      }
      const auto file = golden::written("changed.bin", changed);
      const auto start = std::chrono::steady_clock::now();
      try {
        golden::load(*network, file, {.pool_padding = network->options().pool_padding, .input_scale = {}});
      } catch (const DataError&) {
        ++refused;
      }
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10)) << name << ", change " << i;
    }
    EXPECT_GT(refused, 10) << name;
  }
}

// ---- malicious archives ----

struct Entry {
  std::string name, packed;
  uint64_t bytes;
  int method = 0, flags = 0;
  int64_t header_at = -1;  // overrides the offset in the directory
};

std::string archive_of(const std::vector<Entry>& entries) {
  std::string file, directory;
  for (const Entry& e : entries) {
    const uint64_t at = e.header_at < 0 ? file.size() : static_cast<uint64_t>(e.header_at);
    const std::string sizes = number(0, 4) + number(e.packed.size(), 4) + number(e.bytes, 4) + number(e.name.size(), 2);
    file += "PK\3\4" + number(20, 2) + number(static_cast<uint64_t>(e.flags), 2) +
            number(static_cast<uint64_t>(e.method), 2) + number(0, 4) + sizes + number(0, 2) + e.name + e.packed;
    directory += "PK\1\2" + number(20, 2) + number(20, 2) + number(static_cast<uint64_t>(e.flags), 2) +
                 number(static_cast<uint64_t>(e.method), 2) + number(0, 4) + sizes + number(0, 2) + number(0, 2) +
                 number(0, 2) + number(0, 2) + number(0, 4) + number(at, 4) + e.name;
  }
  return file + directory + "PK\5\6" + number(0, 4) + number(entries.size(), 2) + number(entries.size(), 2) +
         number(directory.size(), 4) + number(file.size(), 4) + number(0, 2);
}

TEST(Zip, LiesAreFound) {
  EXPECT_THAT(error_of_bytes(archive_of({{"a/data.pkl", "x", 1}, {"a/data.pkl", "x", 1}})), HasSubstr("two members"));
  EXPECT_THAT(error_of_bytes(archive_of({{"a/data.pkl", "x", 1}, {"b", "x", 1, 0, 0, 0}})), HasSubstr("overlaps"));
  EXPECT_THAT(error_of_bytes(archive_of({{"a/data.pkl", "x", 1, 0, 1}})), HasSubstr("encrypted"));
  EXPECT_THAT(error_of_bytes(archive_of({{"a/data.pkl", "x", 1, 99}})), HasSubstr("unknown method"));
  EXPECT_THAT(error_of_bytes(archive_of({{"a/data.pkl", "x", 2}})), HasSubstr("another size"));
  EXPECT_THAT(error_of_bytes(archive_of({{"a/data.pkl", "x", 0xfffffff0, 8}})), HasSubstr("would unpack to"));
  EXPECT_THAT(error_of_bytes(archive_of({{"a/data.pkl", "x", 100, 8}})), HasSubstr("damaged or cut"));
  EXPECT_THAT(error_of_bytes(archive_of({{"a/code/x.py", "", 0}, {"a/constants.pkl", "", 0}})),
              HasSubstr("TorchScript"));
  EXPECT_THAT(error_of_bytes(archive_of({{"arr_0.npy", "x", 1}})), HasSubstr("NumPy archive"));
  EXPECT_THAT(error_of_bytes(archive_of({{"readme.txt", "x", 1}})), HasSubstr("neither PyTorch's nor Keras'"));
  EXPECT_THAT(error_of_bytes("PK\3\4 and no end"), HasSubstr("truncated"));
}

}  // namespace
}  // namespace avs
