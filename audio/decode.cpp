#include "audio/decode.h"

#include <sndfile.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "audio/resample.h"
#include "tensor/error.h"
#include "vision/container.h"

extern "C" {
#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>
}

namespace avs {
namespace {

constexpr int64_t kMaxChannels = 8;
constexpr int64_t kPieceFrames = 1 << 16;  // frames per read without a limit

// ---- libsndfile -------------------------------------------------------------

// Decides by content, never by name. FFmpeg decodes compressed sound: for broken files libsndfile prints to stderr
// (MP3), leaks memory (Vorbis) or does not know the speakers (FLAC).
bool is_for_sndfile(SourceFile& file) {
  constexpr std::array<std::string_view, 7> marks = {"RIFF", "RIFX", "RF64", "riff", "FORM", ".snd", "caff"};
  std::array<char, 4> head = {};
  file.read_at(0, head.data(), head.size());
  return std::find(marks.begin(), marks.end(), std::string_view(head.data(), head.size())) != marks.end();
}

SourceFile& source_of(void* file) { return *static_cast<SourceFile*>(file); }

SF_VIRTUAL_IO source_io() {
  return {
      .get_filelen = [](void* file) -> sf_count_t { return source_of(file).size(); },
      .seek = [](sf_count_t offset, int whence, void* file) -> sf_count_t {
        SourceFile& source = source_of(file);
        const int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? source.position() : source.size();
        return source.seek(from + offset) ? source.position() : -1;
      },
      .read = [](void* to, sf_count_t bytes, void* file) -> sf_count_t {
        return static_cast<sf_count_t>(source_of(file).read(to, static_cast<size_t>(std::max<sf_count_t>(bytes, 0))));
      },
      .write = [](const void*, sf_count_t, void*) -> sf_count_t { return 0; },
      .tell = [](void* file) -> sf_count_t { return source_of(file).position(); }};
}

// FFmpeg decodes files that state speaker positions: it knows all of them.
bool names_its_speakers(SNDFILE* file, int channels) {
  std::vector<int> speakers(static_cast<size_t>(std::max(channels, 0)));
  const int bytes = static_cast<int>(speakers.size() * sizeof(int));
  return channels > 2 && sf_command(file, SFC_GET_CHANNEL_MAP_INFO, speakers.data(), bytes) == SF_TRUE;
}

class SndfileReader final : public SoundReader {
 public:
  static std::unique_ptr<SoundReader> open(const std::filesystem::path& path) {
    auto source = std::make_unique<SourceFile>(path);
    const bool is_for_us = is_for_sndfile(*source);
    source->throw_if_failed();
    if (!is_for_us) return nullptr;
    SF_INFO info = {};
    SF_VIRTUAL_IO io = source_io();
    SNDFILE* file = sf_open_virtual(&io, SFM_READ, &info, source.get());
    if (file == nullptr) {
      source->throw_if_failed();
      return nullptr;
    }
    std::unique_ptr<SoundReader> reader(new SndfileReader(std::move(source), file, info));
    return names_its_speakers(file, info.channels) ? nullptr : std::move(reader);
  }
  ~SndfileReader() override { sf_close(file_); }

  int64_t sample_rate_hz() const override { return info_.samplerate; }
  int64_t channels() const override { return info_.channels; }

 private:
  SndfileReader(std::unique_ptr<SourceFile> source, SNDFILE* file, const SF_INFO& info)
      : SoundReader(source->path()), source_(std::move(source)), file_(file), info_(info) {}

  void append(int64_t frames, std::vector<float>& samples) override {
    const size_t before = samples.size(), width = static_cast<size_t>(info_.channels);
    samples.resize(before + static_cast<size_t>(frames) * width);
    const sf_count_t got = sf_readf_float(file_, samples.data() + before, frames);
    samples.resize(before + static_cast<size_t>(std::max<sf_count_t>(0, got)) * width);
    source_->throw_if_failed();
  }

  MediaFile::Ending judge_end(double) override { return {.is_cut = end_of(*source_) == FileEnd::Cut, .note = {}}; }

  std::unique_ptr<SourceFile> source_;
  SNDFILE* file_;
  SF_INFO info_;
};

// ---- FFmpeg -----------------------------------------------------------------

struct ResamplerDeleter {
  void operator()(SwrContext* context) const { swr_free(&context); }
};

// The speakers of a WAVE file with this number of channels.
AVChannelLayout layout_of(int channels) {
  constexpr std::array<uint64_t, kMaxChannels + 1> masks = {0,
                                                            AV_CH_LAYOUT_MONO,
                                                            AV_CH_LAYOUT_STEREO,
                                                            AV_CH_LAYOUT_SURROUND,
                                                            AV_CH_LAYOUT_QUAD,
                                                            AV_CH_LAYOUT_5POINT0_BACK,
                                                            AV_CH_LAYOUT_5POINT1_BACK,
                                                            AV_CH_LAYOUT_6POINT1,
                                                            AV_CH_LAYOUT_7POINT1};
  AVChannelLayout layout = {};
  av_channel_layout_from_mask(&layout, masks[static_cast<size_t>(channels)]);
  return layout;
}

// Are these the speakers that to_stereo expects? If not, libswresample downmixes to stereo with the same coefficients.
bool has_usual_layout(const AVChannelLayout& layout) {
  if (layout.nb_channels < 1 || layout.nb_channels > kMaxChannels) return false;
  if (layout.nb_channels == 1 || layout.order == AV_CHANNEL_ORDER_UNSPEC) return true;
  const AVChannelLayout usual = layout_of(layout.nb_channels);
  return av_channel_layout_compare(&layout, &usual) == 0;
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
    channels_ = has_usual_layout(frame.ch_layout) ? frame.ch_layout.nb_channels : 2;
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
      fill_gap_before(decoder_.seconds(*frame_), frames);
      if (ready_.size() - taken_ >= wanted) break;  // the gap is longer than `wanted`; keep the frame for later
      convert(*frame_);
      next();
    }
    if (frame_ == nullptr && decoder_.corrupt_packets() > 0 && ready_.size() - taken_ < wanted)
      fill_gap_before(decoder_.end_seconds(), frames);
    const size_t count = std::min(wanted, ready_.size() - taken_);
    samples.insert(samples.end(), ready_.begin() + static_cast<std::ptrdiff_t>(taken_),
                   ready_.begin() + static_cast<std::ptrdiff_t>(taken_ + count));
    taken_ += count;
    if (taken_ == ready_.size()) {
      ready_.clear();
      taken_ = 0;
    }
  }

  MediaFile::Ending judge_end(double wanted_seconds) override {
    if (decoder_.truncated()) return {.is_cut = true, .note = decoder_.last_reason()};
    return file_->judge_end(*file_->audio_stream(), decoder_.end_seconds(), wanted_seconds);
  }

  std::string damage() const override { return decoder_.damage(); }

  // Appends silence up to a presentation time, at most `limit` frames.
  void fill_gap_before(std::optional<double> seconds, int64_t limit) {
    if (!seconds) return;
    const double missing = *seconds - static_cast<double>(produced_frames_) / static_cast<double>(sample_rate_hz_);
    if (!(missing > kToleranceSeconds)) return;
    const double missing_frames = std::round(missing * static_cast<double>(sample_rate_hz_));
    const int64_t count = static_cast<int64_t>(std::min(missing_frames, static_cast<double>(limit)));
    ready_.insert(ready_.end(), static_cast<size_t>(count * channels_), 0.0f);
    produced_frames_ += count;
  }

  // Converts any sample format, rate and layout to the stream's first one, as interleaved floats.
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
    if (from.order == AV_CHANNEL_ORDER_UNSPEC || channels_in_ == 1)
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
  AVFrame* frame_ = nullptr;  // decoded but not converted; null at the end
  std::unique_ptr<SwrContext, ResamplerDeleter> converter_;
  int64_t sample_rate_hz_ = 0, channels_ = 0;
  int format_ = -1, rate_in_ = 0, channels_in_ = 0;
  std::vector<float> ready_;  // converted samples; those from taken_ on are not returned yet
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
  if (reader->channels() < 1 || reader->channels() > kMaxChannels || reader->sample_rate_hz() < 1 ||
      reader->sample_rate_hz() > kMaxSampleRateHz)
    throw DataError(str(path.string(), ": its sound has ", reader->channels(), " channels at ",
                        reader->sample_rate_hz(), " Hz; 1 to ", kMaxChannels, " channels and rates up to ",
                        kMaxSampleRateHz, " Hz are understood"));
  return reader;
}

Waveform SoundReader::read(double seconds) {
  constexpr double kTailSeconds = 0.1;
  const auto rate = static_cast<double>(sample_rate_hz());
  Waveform sound{.sample_rate_hz = sample_rate_hz(), .channels = channels(), .samples = {}};
  const double wanted = std::ceil(seconds * rate);
  while (static_cast<double>(sound.frames()) < wanted) {
    const double missing = wanted - static_cast<double>(sound.frames());
    const size_t before = sound.samples.size();
    append(static_cast<int64_t>(std::min<double>(missing, kPieceFrames)), sound.samples);
    if (sound.samples.size() == before) break;
  }
  frames_read_ += sound.frames();
  for (const float sample : sound.samples)
    if (!std::isfinite(sample)) throw DataError(str(path().string(), ": its sound holds samples that are not finite"));
  if (static_cast<double>(sound.frames()) < wanted - kTailSeconds * rate) {
    const double end = static_cast<double>(frames_read_) / rate;
    const MediaFile::Ending ending = judge_end(end + (wanted - static_cast<double>(sound.frames())) / rate);
    if (ending.is_cut)
      throw Truncated(str(path().string(), ": truncated: its sound ends at second ", std::round(end * 10) / 10,
                          ending.note.empty() ? "" : ": " + ending.note));
    sound.note = ending.note;
  }
  if (const std::string found = damage(); !found.empty())
    sound.note += (sound.note.empty() ? "" : "; ") + ("its sound is " + found);
  return sound;
}

std::optional<Waveform> decode_sound(const std::filesystem::path& path, double max_seconds) {
  const std::unique_ptr<SoundReader> reader = SoundReader::open(path);
  if (!reader) return std::nullopt;
  Waveform sound = reader->read(max_seconds);
  if (sound.samples.empty()) throw DataError(str(path.string(), ": its sound holds no samples"));
  if (sound.frames() * kSampleRateHz < sound.sample_rate_hz)
    throw DataError(str(path.string(), ": its sound of ", sound.frames(), " samples at ", sound.sample_rate_hz,
                        " Hz is shorter than one sample at ", kSampleRateHz, " Hz"));
  return sound;
}

}  // namespace avs
