#include "models/data/loader.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "audio/delta.h"
#include "tests/models/data/small_data.h"

namespace avs::data {
namespace {

using test::Folder;
using test::small_options;
using test::write_clip;

// One cache for all tests of this file: 2 classes of 8 clips, one without sound, one without picture.
class LoaderTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new Folder();
    for (int i = 0; i < 8; ++i) {
      write_clip(*folder_ / str("data/a/clip", i, ".mp4"), i, 1.5,
                 i == 0 ? test::Holds::PictureOnly : test::Holds::Both);
      write_clip(*folder_ / str("data/b/clip", i, ".mp4"), i + 9, 2.0,
                 i == 0 ? test::Holds::SoundOnly : test::Holds::Both);
    }
    prepare(small_options(*folder_ / "data", *folder_ / "cache"));
    cache_ = new Cache(Cache::open(*folder_ / "cache"));
  }
  static void TearDownTestSuite() {
    delete cache_;
    delete folder_;
  }

  static const Cache& cache() { return *cache_; }

 private:
  static Folder* folder_;
  static Cache* cache_;
};
Folder* LoaderTest::folder_ = nullptr;
Cache* LoaderTest::cache_ = nullptr;

struct Seen {  // everything a consumer could see of an epoch
  std::vector<float> values;
  std::vector<int64_t> clips;
  std::vector<int64_t> sizes;
  bool operator==(const Seen&) const = default;
};

Seen see_epoch(Loader& loader, int64_t epoch, int64_t first_batch = 0) {
  Seen seen;
  loader.start_epoch(epoch, first_batch);
  while (const std::optional<Batch> batch = loader.next()) {
    for (const float value : batch->samples.x.to_vector()) seen.values.push_back(value);
    for (const float value : batch->targets.to_vector()) seen.values.push_back(value);
    seen.clips.insert(seen.clips.end(), batch->clips.begin(), batch->clips.end());
    seen.sizes.push_back(batch->samples.x.shape()[0]);
  }
  return seen;
}

const FrameDatasetOptions kAugmented = {
    .image_size = 20, .random_frames = 2, .augmentation = {.horizontal_flip = Flip::HalfTheTime, .crop_min_area = 0.3}};

// ---- order and determinism --------------------------------------------------

TEST_F(LoaderTest, GivesTheSameBatchesForAnyNumberOfWorkers) {
  const FrameDataset dataset(cache(), Split::Train, kAugmented);
  std::vector<Seen> all;
  for (const int workers : {0, 1, 2, 5}) {
    Loader loader(dataset, {.batch = 3, .order = Order::Shuffled, .workers = workers, .seed = 11});
    see_epoch(loader, 0);
    all.push_back(see_epoch(loader, 1));
  }
  for (const Seen& seen : all) EXPECT_TRUE(seen == all[0]);
  EXPECT_EQ(static_cast<int64_t>(all[0].clips.size()), dataset.size());
}

TEST_F(LoaderTest, ShufflesByEpochAndSeedAndMissesNobody) {
  const FrameDataset dataset(cache(), Split::Train, {.image_size = 24});
  Loader loader(dataset, {.batch = 4, .order = Order::Shuffled, .seed = 1});
  Loader other(dataset, {.batch = 4, .order = Order::Shuffled, .seed = 2});
  const std::vector<int64_t> first = see_epoch(loader, 0).clips, second = see_epoch(loader, 1).clips;
  EXPECT_NE(first, second);
  EXPECT_NE(first, see_epoch(other, 0).clips);
  EXPECT_EQ(first, see_epoch(loader, 0).clips) << "an epoch can be repeated";
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), static_cast<size_t>(dataset.size()));
}

TEST_F(LoaderTest, ContinuesInTheMiddleOfAnEpochWithTheSameBits) {
  const FrameDataset dataset(cache(), Split::Train, kAugmented);
  const LoaderOptions options{.batch = 3, .order = Order::Shuffled, .workers = 2, .seed = 5};
  Loader loader(dataset, options);
  loader.start_epoch(4);
  loader.next();
  loader.next();
  const LoaderPosition position = loader.position();
  EXPECT_EQ(position.batch, 2);
  Seen rest;
  std::vector<float> values;
  while (const auto batch = loader.next())
    for (const float value : batch->samples.x.to_vector()) values.push_back(value);
  Loader resumed(dataset, options);
  resumed.start_epoch(position.epoch, position.batch);
  std::vector<float> again;
  while (const auto batch = resumed.next())
    for (const float value : batch->samples.x.to_vector()) again.push_back(value);
  EXPECT_FALSE(values.empty());
  EXPECT_EQ(values, again);
}

TEST_F(LoaderTest, KeepsOrDropsTheLastBatch) {
  const FrameDataset dataset(cache(), Split::Train, {.image_size = 24});
  const int64_t n = dataset.size();
  ASSERT_NE(n % 4, 0) << "the test needs a remainder";
  Loader keeps(dataset, {.batch = 4}), drops(dataset, {.batch = 4, .last = LastBatch::Drop});
  EXPECT_EQ(see_epoch(keeps, 0).sizes.back(), n % 4);
  EXPECT_EQ(see_epoch(drops, 0).sizes.back(), 4);
  Loader large(dataset, {.batch = 1000, .last = LastBatch::Drop});
  EXPECT_EQ(see_epoch(large, 0).sizes, (std::vector<int64_t>{n})) << "an epoch is never empty";
}

TEST_F(LoaderTest, CanBeAbandonedAtAnyMoment) {
  const FrameDataset dataset(cache(), Split::Train, kAugmented);
  for (int i = 0; i < 20; ++i) {
    Loader loader(dataset, {.batch = 2, .workers = 3});
    loader.start_epoch(i);
    if (i % 2 == 0) loader.next();
    loader.start_epoch(i + 1);
    if (i % 3 == 0) loader.next();
  }
}

class FailingDataset final : public Dataset {
 public:
  int64_t size() const override { return 6; }
  Shape sample_shape() const override { return {1, 1, 1}; }
  int64_t class_count() const override { return 2; }
  int64_t clip(int64_t index) const override { return index; }
  int64_t label(int64_t) const override { return 0; }
  Sample get(int64_t index, Rng) const override {
    if (index == 3) throw DataError("sample 3 is damaged");
    return {Tensor::zeros({1, 1, 1})};
  }
};

TEST_F(LoaderTest, RethrowsAWorkersErrorAtItsBatch) {
  const FailingDataset dataset;
  for (const int workers : {0, 2}) {
    Loader loader(dataset, {.batch = 2, .workers = workers});
    loader.start_epoch(0);
    EXPECT_EQ(loader.next()->clips, (std::vector<int64_t>{0, 1}));
    EXPECT_THROW(loader.next(), DataError);
    EXPECT_EQ(loader.next()->clips, (std::vector<int64_t>{4, 5}));
  }
  EXPECT_THROW(Loader(dataset, {.batch = 0}), UsageError);
}

// ---- samples ----------------------------------------------------------------

TEST_F(LoaderTest, GivesSpectrogramsWithTheirDeltas) {
  const SpectrogramDataset dataset(cache(), Modality::Mel, Split::Train);
  Loader loader(dataset, {.batch = 2});
  loader.start_epoch(0);
  const Batch batch = *loader.next();
  EXPECT_EQ(batch.samples.x.shape(), (Shape{2, 128, 704, 6}));
  const Tensor expected = audio::stack_deltas(cache().entry(batch.clips[1], Modality::Mel).read(Modality::Mel));
  EXPECT_EQ(batch.samples.x.rows(1, 1).to_vector(), expected.to_vector());
  EXPECT_EQ(batch.targets.shape(), (Shape{2, 2}));
}

TEST_F(LoaderTest, MarksEachSamplesClassWithAOne) {
  const FrameDataset dataset(cache(), Split::Train, {.image_size = 24});
  Loader loader(dataset, {.batch = 100});
  loader.start_epoch(0);
  const Batch batch = *loader.next();
  const std::vector<float> targets = batch.targets.to_vector();
  for (size_t i = 0; i < batch.clips.size(); ++i) {
    const int64_t label = cache().clips()[static_cast<size_t>(batch.clips[i])].label;
    EXPECT_EQ(targets[2 * i + static_cast<size_t>(label)], 1);
    EXPECT_EQ(targets[2 * i] + targets[2 * i + 1], 1);
  }
}

TEST_F(LoaderTest, LeavesOutClipsWithoutTheModality) {
  for (const Split split : kSplits) {
    const FrameDataset frames(cache(), split, {.image_size = 24});
    const SpectrogramDataset sounds(cache(), Modality::Mel, split);
    for (int64_t i = 0; i < frames.size(); ++i)
      EXPECT_NE(cache().clips()[static_cast<size_t>(frames.clip(i))].name, "b/clip0.mp4");
    for (int64_t i = 0; i < sounds.size(); ++i)
      EXPECT_NE(cache().clips()[static_cast<size_t>(sounds.clip(i))].name, "a/clip0.mp4");
  }
  EXPECT_THROW(SpectrogramDataset(cache(), Modality::Cqt, Split::Train), DataError) << "prepared without it";
}

TEST_F(LoaderTest, GivesEveryFrameOfEveryClipForEvaluation) {
  const FrameDataset dataset(cache(), Split::Train, {.image_size = 24, .random_frames = 0});
  int64_t expected = 0;
  for (const int64_t id : cache().select(Split::Train, Modality::Frames))
    expected += cache().clips()[static_cast<size_t>(id)].frame_count;
  EXPECT_EQ(dataset.size(), expected);
  const Tensor frames = cache().entry(dataset.clip(1), Modality::Frames).read(Modality::Frames);
  EXPECT_EQ(dataset.get(1, Rng(0)).x.to_vector(), frames.rows(1, 1).to_vector());
}

TEST_F(LoaderTest, DrawsDifferentFramesInDifferentEpochs) {
  const FrameDataset dataset(cache(), Split::Train, {.image_size = 24});
  Loader loader(dataset, {.batch = 100});
  EXPECT_NE(see_epoch(loader, 0).values, see_epoch(loader, 1).values);
}

TEST_F(LoaderTest, GivesTheSamePixelsAsBytesWhereNobodyResizesThem) {
  FrameDatasetOptions options{.image_size = cache().options().frames.image_size};
  options.augmentation.horizontal_flip = Flip::HalfTheTime;
  const FrameDataset frames(cache(), Split::Train, options);
  const LoaderOptions as_floats{.batch = 3, .order = Order::Shuffled, .seed = 5};
  LoaderOptions as_stored = as_floats;
  as_stored.pixels = Pixels::AsStored;
  Loader floats(frames, as_floats), bytes(frames, as_stored);
  bytes.start_epoch(0);
  const Batch batch = *bytes.next();
  EXPECT_EQ(batch.samples.x.dtype(), DType::U8);
  EXPECT_FALSE(batch.samples.boxes.defined());
  EXPECT_EQ(see_epoch(bytes, 1), see_epoch(floats, 1));
}

// A GPU resizes what the CPU resizes: the same frames, boxes and mirrors, drawn in the same order.
TEST_F(LoaderTest, GivesFramesAndBoxesThatResizeToTheSameSamples) {
  FrameDatasetOptions smaller{.image_size = cache().options().frames.image_size - 5}, cropped = smaller;
  cropped.augmentation = {.horizontal_flip = Flip::HalfTheTime, .crop_min_area = 0.3, .crop_max_area = 0.9};
  for (const FrameDatasetOptions& options : {smaller, cropped}) {
    const FrameDataset frames(cache(), Split::Train, options);
    const LoaderOptions as_floats{.batch = 3, .order = Order::Shuffled, .seed = 5};
    LoaderOptions as_stored = as_floats;
    as_stored.pixels = Pixels::AsStored;
    Loader floats(frames, as_floats), stored(frames, as_stored);
    floats.start_epoch(2);
    stored.start_epoch(2);
    int mirrored = 0;
    while (const std::optional<Batch> expected = floats.next()) {
      const std::optional<Batch> got = stored.next();
      ASSERT_TRUE(got.has_value());
      const Samples& samples = got->samples;
      EXPECT_EQ(samples.x.dtype(), DType::U8);
      EXPECT_EQ(samples.x.shape()[1], cache().options().frames.image_size);
      EXPECT_EQ(got->targets.to_vector(), expected->targets.to_vector());
      EXPECT_EQ(samples.shape(), expected->samples.shape());
      ASSERT_EQ(ops::load_pictures(samples.x, samples.boxes, {}, {}).to_vector(), expected->samples.x.to_vector());
      for (int64_t i = 0; i < samples.x.shape()[0]; ++i) mirrored += samples.boxes.boxes.data<float>()[5 * i + 4] != 0;
    }
    EXPECT_FALSE(stored.next().has_value());
    EXPECT_EQ(mirrored > 0, options.augmentation.horizontal_flip == Flip::HalfTheTime);
  }
}

TEST_F(LoaderTest, ResizesFramesToTheNetworksSize) {
  const FrameDataset small(cache(), Split::Train, {.image_size = 12, .random_frames = 0});
  const FrameDataset whole(cache(), Split::Train, {.image_size = 24, .random_frames = 0});
  const auto mean = [](const FrameDataset& frames) {
    Loader loader(frames, {.batch = 1});
    loader.start_epoch(0);
    const Tensor x = loader.next()->samples.x;
    EXPECT_EQ(x.shape()[1], frames.sample_shape()[0]);
    const std::vector<float> values = x.to_vector();
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  };
  EXPECT_NEAR(mean(small), mean(whole), 1);
}

// ---- augmentation -----------------------------------------------------------

Tensor ramp(Shape shape) {
  Tensor t = Tensor::empty(shape);
  for (int64_t i = 0; i < t.size(); ++i) t.data<float>()[i] = static_cast<float>(i % 1000);
  return t;
}

TEST(Augmentation, IsOffByDefault) {
  Rng rng(1);
  Tensor features = ramp({128, 704, 6});
  const std::vector<float> before = features.to_vector();
  shift_time(features, {}, rng);
  mask_spectrogram(features, {}, rng);
  EXPECT_EQ(features.to_vector(), before);
  EXPECT_EQ(draw_crop(30, 40, {}, rng).width, 40);
  EXPECT_EQ(rng.next(), Rng(1).next()) << "and costs no random number";
}

TEST(Augmentation, ShiftsInACircleAlongTime) {
  Tensor x = ramp({128, 704, 2});
  const Tensor before = x.clone();
  Rng rng(4);
  shift_time(x, {.time_shift_frames = 300}, rng);
  const float* now = x.data<float>();
  const float* then = before.data<float>();
  int64_t shift = 0;
  while (shift < 704 && then[2 * shift] != now[0]) ++shift;
  ASSERT_TRUE(shift > 0 && shift < 704);
  for (int64_t band = 0; band < 128; ++band)
    for (int64_t t = 0; t < 704; ++t)
      ASSERT_EQ(now[(band * 704 + t) * 2 + 1], then[(band * 704 + (t + shift) % 704) * 2 + 1]);
}

TEST(Augmentation, MasksBandsAndFramesWithTheMean) {
  Tensor x = ramp({128, 704, 2});
  const Tensor before = x.clone();
  Rng rng(2);
  mask_spectrogram(x, {.frequency_masks = 1, .frequency_mask_bands = 30, .time_masks = 1, .time_mask_frames = 90}, rng);
  std::set<int64_t> bands, frames;
  for (int64_t i = 0; i < x.size(); ++i)
    if (x.data<float>()[i] != before.data<float>()[i]) bands.insert(i / 2 / 704), frames.insert(i / 2 % 704);
  EXPECT_EQ(bands.size(), 128u) << "a time mask covers all bands";
  EXPECT_EQ(frames.size(), 704u) << "a frequency mask covers all frames";
  int64_t changed = 0;
  for (int64_t i = 0; i < x.size(); ++i) changed += x.data<float>()[i] != before.data<float>()[i];
  EXPECT_LT(changed, x.size() / 2);
  EXPECT_GT(changed, 0);
}

TEST(Augmentation, DrawsCropsInsideThePictureWithinTheirLimits) {
  const FrameAugmentation options{.crop_min_area = 0.2, .crop_max_area = 0.8};
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    const PictureBox box = draw_crop(60, 80, options, rng);
    ASSERT_TRUE(box.left >= 0 && box.top >= 0 && box.left + box.width <= 80 && box.top + box.height <= 60);
    ASSERT_LE(box.width * box.height, 0.8 * 60 * 80 + 1e-6);
    ASSERT_GE(box.width * box.height, 0.2 * 60 * 80 / (4.0 / 3) - 1e-6);
  }
  EXPECT_THROW(check(FrameAugmentation{.crop_min_area = 0}), UsageError);
  EXPECT_THROW(check(SpectrogramAugmentation{.time_masks = -1}), UsageError);
}

}  // namespace
}  // namespace avs::data
