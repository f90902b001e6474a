#include "models/data/embeddings.h"

#include <unistd.h>

#include <filesystem>

#include "tests/op_case.h"

namespace avs {
namespace {

class Embeddings : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / str("avs_embeddings_", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

// Four clips; the third has no sound.
EmbeddingSet set_of(const std::string& name, uint64_t seed) {
  EmbeddingSet set{{"bus", "tram"},
                   {"c1", "c2", "c3", "c4"},
                   {0, 1, 0, 1},
                   {data::Split::Train, data::Split::Train, data::Split::Train, data::Split::Test},
                   {}};
  BackboneEmbedding b{{name, "/runs/" + name, "0123456789abcdef"}, {}, {1, 1, 0, 1}};
  b.layers[EmbeddingLayer::Fc1024] = to_tensor(reference::random_vector(4 * 6, seed), {4, 6});
  b.layers[EmbeddingLayer::Fc10] = to_tensor(reference::random_vector(4 * 2, seed + 1), {4, 2});
  set.backbones.push_back(std::move(b));
  return set;
}

TEST_F(Embeddings, SurviveTheirFile) {
  const EmbeddingSet set = set_of("aud-mel", 1);
  set.save(folder_ / "a.safetensors");
  const EmbeddingSet back = EmbeddingSet::load(folder_ / "a.safetensors");
  EXPECT_EQ(back.classes, set.classes);
  EXPECT_EQ(back.clips, set.clips);
  EXPECT_EQ(back.labels, set.labels);
  EXPECT_EQ(back.splits, set.splits);
  ASSERT_EQ(back.backbones.size(), 1u);
  EXPECT_EQ(back.backbones[0].present, set.backbones[0].present);
  EXPECT_EQ(back.backbones[0].source.hash, "0123456789abcdef");
  EXPECT_EQ(back.backbones[0].layers.at(EmbeddingLayer::Fc10).to_vector(),
            set.backbones[0].layers.at(EmbeddingLayer::Fc10).to_vector());
}

TEST_F(Embeddings, ClipsThatLackAModalityAreLeftOutAndCounted) {
  const EmbeddingSet set = set_of("aud-mel", 1);
  const EmbeddingRows rows = select_rows(set, data::Split::Train, {"aud-mel"}, EmbeddingLayer::Fc1024);
  EXPECT_EQ(rows.ids, (std::vector<std::string>{"c1", "c2"}));
  EXPECT_EQ(rows.left_out, 1);
  EXPECT_EQ(rows.x[0].to_vector(), set.backbones[0].layers.at(EmbeddingLayer::Fc1024).rows(0, 2).to_vector());
}

TEST_F(Embeddings, FilesOfTheSameClipsBecomeOneSet) {
  set_of("aud-mel", 1).save(folder_ / "a.safetensors");
  set_of("vis-inc", 3).save(folder_ / "b.safetensors");
  const EmbeddingSet all = merge({folder_ / "a.safetensors", folder_ / "b.safetensors", folder_ / "a.safetensors"});
  EXPECT_EQ(all.names(), (std::vector<std::string>{"aud-mel", "vis-inc", "aud-mel-2"}));
}

TEST_F(Embeddings, FilesOfDifferentClipsAreRefusedAndTheClipIsNamed) {
  set_of("aud-mel", 1).save(folder_ / "a.safetensors");
  EmbeddingSet other = set_of("vis-inc", 3);
  other.clips[1] = "elsewhere";
  other.save(folder_ / "b.safetensors");
  EmbeddingSet relabelled = set_of("vis-inc", 3);
  relabelled.labels[3] = 0;
  relabelled.save(folder_ / "c.safetensors");
  EXPECT_THAT(error_of<DataError>([&] {
                merge({folder_ / "a.safetensors", folder_ / "b.safetensors"});
              }),
              testing::HasSubstr("'c2' and 'elsewhere'"));
  EXPECT_THAT(error_of<DataError>([&] {
                merge({folder_ / "a.safetensors", folder_ / "c.safetensors"});
              }),
              testing::HasSubstr("label of clip 'c4'"));
}

TEST_F(Embeddings, OfTheSameClipsWithOtherContentsAreNotMixed) {
  EmbeddingSet a = set_of("aud-mel", 1), b = set_of("vis-inc", 3);
  a.contents = "00000000000000aa";
  b.contents = "00000000000000bb";
  a.save(folder_ / "a.safetensors");
  b.save(folder_ / "b.safetensors");
  set_of("aud-gam", 5).save(folder_ / "older.safetensors");  // written before contents were
  EXPECT_EQ(EmbeddingSet::load(folder_ / "a.safetensors").contents, a.contents);
  EXPECT_THAT(error_of<DataError>([&] {
                merge({folder_ / "a.safetensors", folder_ / "b.safetensors"});
              }),
              testing::HasSubstr("clips of other contents"));
  EXPECT_EQ(merge({folder_ / "a.safetensors", folder_ / "older.safetensors"}).names().size(), 2u);
}

TEST_F(Embeddings, OfNoBackboneAreRefused) {
  set_of("aud-mel", 1).save(folder_ / "a.safetensors");
  Checkpoint file = Checkpoint::load(folder_ / "a.safetensors");
  file.metadata["backbones"] = "[]";
  file.save(folder_ / "a.safetensors");
  EXPECT_THAT(error_of<DataError>([&] { EmbeddingSet::load(folder_ / "a.safetensors"); }),
              testing::HasSubstr("a.safetensors: holds the embeddings of no backbone"));
}

TEST_F(Embeddings, OtherFilesAndMissingNamesAreRefusedByName) {
  Checkpoint stranger;
  stranger.tensors["x"] = Tensor::zeros({2});
  stranger.save(folder_ / "x.safetensors");
  EXPECT_THAT(error_of<DataError>([&] { EmbeddingSet::load(folder_ / "x.safetensors"); }),
              testing::HasSubstr("not an embeddings file"));
  const EmbeddingSet set = set_of("aud-mel", 1);
  EXPECT_THAT(error_of<UsageError>([&] { set.backbone("vis-inc"); }), testing::HasSubstr("the file has aud-mel"));
  EmbeddingSet partial = set_of("aud-mel", 1);
  partial.backbones[0].layers.erase(EmbeddingLayer::Fc10);
  EXPECT_THAT(
      error_of<UsageError>([&] { select_rows(partial, data::Split::Train, {"aud-mel"}, EmbeddingLayer::Fc10); }),
      testing::HasSubstr("lack layer fc10"));
}

}  // namespace
}  // namespace avs
