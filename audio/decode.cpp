#include "audio/decode.h"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string>
#include <string_view>

#include "audio/container.h"
#include "tensor/error.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>
}

namespace avs {
namespace {

constexpr int64_t kMaxChannels = 8;
constexpr int64_t kPieceFrames = 1 << 16;  // read at a time when no limit is given

// ---- libsndfile -------------------------------------------------------------

// By content, never by name. MP3 and Ogg are left to FFmpeg: of broken ones libsndfile's decoders complain on stderr
// (MP3) or never free what they allocated (Vorbis).
bool is_for_sndfile(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 8> marks = {"RIFF", "RIFX", "RF64", "riff", "fLaC", "FORM", ".snd", "caff"};
  std::array<char, 4> head = {};
  std::ifstream(path, std::ios::binary).read(head.data(), head.size());
  return std::find(marks.begin(), marks.end(), std::string_view(head.data(), head.size())) != marks.end();
}

class SndfileReader final : public SoundReader {
 public:
  static std::unique_ptr<SoundReader> open(const std::filesystem::path& path) {
    if (!is_for_sndfile(path)) return nullptr;
    SF_INFO info = {};
    SNDFILE* file = sf_open(path.c_str(), SFM_READ, &info);
    if (file == nullptr) return nullptr;
    return std::unique_ptr<SoundReader>(new SndfileReader(path, file, info));
  }
  ~SndfileReader() override { sf_close(file_); }

  int64_t sample_rate_hz() const override { return info_.samplerate; }
  int64_t channels() const override { return info_.channels; }

 private:
  SndfileReader(const std::filesystem::path& path, SNDFILE* file, const SF_INFO& info)
      : SoundReader(path), file_(file), info_(info) {}

  void append(int64_t frames, std::vector<float>& samples) override {
    const size_t before = samples.size(), width = static_cast<size_t>(info_.channels);
    samples.resize(before + static_cast<size_t>(frames) * width);
    const sf_count_t got = sf_readf_float(file_, samples.data() + before, frames);
    samples.resize(before + static_cast<size_t>(std::max<sf_count_t>(0, got)) * width);
  }

  SNDFILE* file_;
  SF_INFO info_;
};

// ---- FFmpeg -----------------------------------------------------------------

struct ResamplerDeleter {
  void operator()(SwrContext* context) const { swr_free(&context); }
};

// The speakers that a number of channels means in a WAVE file.
AVChannelLayout layout_of(int channels) {
  constexpr std::array<uint64_t, kMaxChannels + 1> masks = {0,
                                                            AV_CH_LAYOUT_MONO,
                                                            AV_CH_LAYOUT_STEREO,
                                                            AV_CH_LAYOUT_SURROUND,
                                                            AV_CH_LAYOUT_QUAD,
                                                            AV_CH_LAYOUT_5POINT0_BACK,
                                                            AV_CH_LAYOUT_5POINT1_BACK,
                                                            AV_CH_LAYOUT_6POINT1_BACK,
                                                            AV_CH_LAYOUT_7POINT1};
  AVChannelLayout layout = {};
  av_channel_layout_from_mask(&layout, masks[static_cast<size_t>(channels)]);
  return layout;
}

class FfmpegReader final : public SoundReader {
 public:
  FfmpegReader(const std::filesystem::path& path, std::unique_ptr<MediaFile> file)
      : SoundReader(path), file_(std::move(file)), decoder_(*file_, *file_->audio_stream()) {
    if (!next()) {
      const std::string reason = decoder_.last_reason().empty() ? "the stream is empty" : decoder_.last_reason();
      throw DataError(str(path.string(), ": its sound cannot be decoded: ", reason));
    }
    const AVFrame& frame = *frame_;
    sample_rate_hz_ = frame.sample_rate;
    channels_ = frame.ch_layout.nb_channels > kMaxChannels ? 2 : frame.ch_layout.nb_channels;
    if (sample_rate_hz_ <= 0 || channels_ <= 0)
      throw DataError(str(path.string(), ": its sound has ", channels_, " channels at ", sample_rate_hz_, " Hz"));
  }

  int64_t sample_rate_hz() const override { return sample_rate_hz_; }
  int64_t channels() const override { return channels_; }

 private:
  bool next() {
    frame_ = decoder_.next_frame();
    return frame_ != nullptr;
  }

  void append(int64_t frames, std::vector<float>& samples) override {
    const size_t wanted = static_cast<size_t>(frames * channels_);
    while (ready_.size() - taken_ < wanted && frame_ != nullptr) {
      fill_gap_before(*frame_, frames);
      if (ready_.size() - taken_ >= wanted) break;  // the gap alone is longer than what is wanted: the frame waits
      convert(*frame_);
      next();
    }
    const size_t count = std::min(wanted, ready_.size() - taken_);
    samples.insert(samples.end(), ready_.begin() + static_cast<std::ptrdiff_t>(taken_),
                   ready_.begin() + static_cast<std::ptrdiff_t>(taken_ + count));
    taken_ += count;
    if (taken_ == ready_.size()) {
      ready_.clear();
      taken_ = 0;
    }
  }

  // Silence up to the frame's presentation time, but not more than `limit` frames of it at once.
  void fill_gap_before(const AVFrame& frame, int64_t limit) {
    const std::optional<double> seconds = decoder_.seconds(frame);
    if (!seconds) return;
    const double missing = *seconds - static_cast<double>(produced_frames_) / static_cast<double>(sample_rate_hz_);
    if (!(missing > kToleranceSeconds)) return;
    const double missing_frames = std::round(missing * static_cast<double>(sample_rate_hz_));
    const int64_t count = static_cast<int64_t>(std::min(missing_frames, static_cast<double>(limit)));
    ready_.insert(ready_.end(), static_cast<size_t>(count * channels_), 0.0f);
    produced_frames_ += count;
  }

  // Any sample format, rate and layout to what the stream began with, as interleaved floats.
  void convert(const AVFrame& frame) {
    if (!converter_ || frame.format != format_ || frame.sample_rate != rate_in_ ||
        frame.ch_layout.nb_channels != channels_in_)
      make_converter(frame);
    const int capacity = swr_get_out_samples(converter_.get(), frame.nb_samples);
    if (capacity <= 0) return;
    const size_t before = ready_.size();
    ready_.resize(before + static_cast<size_t>(capacity) * static_cast<size_t>(channels_));
    uint8_t* out = reinterpret_cast<uint8_t*>(ready_.data() + before);
    const int got = swr_convert(converter_.get(), &out, capacity, const_cast<const uint8_t**>(frame.extended_data),
                                frame.nb_samples);
    if (got < 0) throw DataError(str(path().string(), ": its sound cannot be converted: ", ffmpeg_reason(got)));
    ready_.resize(before + static_cast<size_t>(got) * static_cast<size_t>(channels_));
    produced_frames_ += got;
  }

  void make_converter(const AVFrame& frame) {
    format_ = frame.format;
    rate_in_ = frame.sample_rate;
    channels_in_ = frame.ch_layout.nb_channels;
    AVChannelLayout from = frame.ch_layout;
    AVChannelLayout to = layout_of(static_cast<int>(channels_));
    if (from.order == AV_CHANNEL_ORDER_UNSPEC)
      from = channels_in_ <= kMaxChannels ? layout_of(channels_in_) : AVChannelLayout{};
    SwrContext* context = nullptr;
    int code = swr_alloc_set_opts2(&context, &to, AV_SAMPLE_FMT_FLT, static_cast<int>(sample_rate_hz_), &from,
                                   static_cast<AVSampleFormat>(frame.format), frame.sample_rate, 0, nullptr);
    converter_.reset(context);
    if (code >= 0) code = swr_init(converter_.get());
    if (code < 0)
      throw DataError(str(path().string(), ": its sound (", channels_in_, " channels at ", rate_in_,
                          " Hz) cannot be converted: ", ffmpeg_reason(code)));
  }

  std::unique_ptr<MediaFile> file_;
  Decoder decoder_;
  AVFrame* frame_ = nullptr;  // decoded, not yet converted; null at the end
  std::unique_ptr<SwrContext, ResamplerDeleter> converter_;
  int64_t sample_rate_hz_ = 0, channels_ = 0;
  int format_ = -1, rate_in_ = 0, channels_in_ = 0;
  std::vector<float> ready_;  // converted, from taken_ on not yet handed out
  size_t taken_ = 0;
  int64_t produced_frames_ = 0;
};

}  // namespace

std::unique_ptr<SoundReader> SoundReader::open(const std::filesystem::path& path) {
  std::unique_ptr<SoundReader> reader = SndfileReader::open(path);
  if (!reader) {
    auto file = std::make_unique<MediaFile>(path);
    if (!file->audio_stream()) return nullptr;
    reader = std::make_unique<FfmpegReader>(path, std::move(file));
  }
  if (reader->channels() < 1 || reader->channels() > kMaxChannels || reader->sample_rate_hz() < 1)
    throw DataError(str(path.string(), ": ", reader->channels(), " channels at ", reader->sample_rate_hz(),
                        " Hz; 1 to ", kMaxChannels, " channels are understood"));
  return reader;
}

Waveform SoundReader::read(double seconds) {
  Waveform sound{.sample_rate_hz = sample_rate_hz(), .channels = channels(), .samples = {}};
  const double wanted = std::ceil(seconds * static_cast<double>(sound.sample_rate_hz));
  while (static_cast<double>(sound.frames()) < wanted) {
    const double missing = wanted - static_cast<double>(sound.frames());
    const size_t before = sound.samples.size();
    append(static_cast<int64_t>(std::min<double>(missing, kPieceFrames)), sound.samples);
    if (sound.samples.size() == before) break;
  }
  for (const float sample : sound.samples)
    if (!std::isfinite(sample)) throw DataError(str(path().string(), ": its sound holds samples that are not finite"));
  return sound;
}

std::optional<Waveform> decode_sound(const std::filesystem::path& path, double max_seconds) {
  const std::unique_ptr<SoundReader> reader = SoundReader::open(path);
  if (!reader) return std::nullopt;
  Waveform sound = reader->read(max_seconds);
  if (sound.samples.empty()) throw DataError(str(path.string(), ": its sound holds no samples"));
  return sound;
}

}  // namespace avs
