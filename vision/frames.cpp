#include "vision/frames.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tensor/error.h"
#include "vision/container.h"
#include "vision/exif.h"
#include "vision/image.h"
#include "vision/picture_plan.h"
#include "vision/scale.h"

namespace avs {
namespace {

void check(const FrameOptions& options) {
  if (!(options.frames_per_second > 0 && options.frames_per_second <= 1000))
    throw UsageError(str("frames per second must be above 0 and at most 1000, got ", options.frames_per_second));
  if (!(options.max_seconds > 0 && options.max_seconds <= 1e6))
    throw UsageError(str("the clip length must be above 0 and at most a million seconds, got ", options.max_seconds));
}

double frame_time(int64_t k, const FrameOptions& options) {
  return (static_cast<double>(k) + 0.5) / options.frames_per_second;
}

// Duration of a decoded picture that no other picture follows.
double shown_seconds(const AVFrame& frame, const AVStream& stream, const FrameOptions& options) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  const int64_t duration = frame.duration;
#else
  const int64_t duration = frame.pkt_duration;
#endif
  if (duration > 0) return static_cast<double>(duration) * av_q2d(stream.time_base);
  if (stream.avg_frame_rate.num > 0 && stream.avg_frame_rate.den > 0) return 1 / av_q2d(stream.avg_frame_rate);
  return 1 / options.frames_per_second;
}

// Holds the current picture and writes it once for every sample time in its duration.
class Sampler {
 public:
  Sampler(const FrameOptions& options, Orientation orientation)
      : options_(options),
        orientation_(orientation),
        count_(max_frame_count(options)),
        frame_bytes_(static_cast<size_t>(options.image_size * options.image_size * 3)),
        scale_(options.image_size),
        shown_(make_frame()) {}

  bool full() const { return taken_ == count_; }
  bool has_picture() const { return shown_->width > 0; }
  int64_t taken() const { return taken_; }

  // Writes the current picture for every sample time before `second`.
  void show_until(double second) {
    while (!full() && frame_time(taken_, options_) < second) take();
  }

  void show(AVFrame& frame) {
    av_frame_unref(shown_.get());
    av_frame_move_ref(shown_.get(), &frame);
    is_scaled_ = false;
  }

  void take() {
    pixels_.resize(pixels_.size() + frame_bytes_);
    uint8_t* to = pixels_.data() + pixels_.size() - frame_bytes_;
    if (is_scaled_) {
      std::memcpy(to, to - frame_bytes_, frame_bytes_);
    } else {
      scale_(*shown_, to);
      orient(to, options_.image_size, orientation_);
      is_scaled_ = true;
    }
    ++taken_;
  }

  Frames finish() const {
    Frames frames;
    const int64_t size = options_.image_size;
    frames.pixels = Tensor::from({taken_, size, size, 3}, std::span<const uint8_t>(pixels_));
    for (int64_t k = 0; k < taken_; ++k) frames.seconds.push_back(frame_time(k, options_));
    return frames;
  }

 private:
  const FrameOptions& options_;
  Orientation orientation_;
  int64_t count_, taken_ = 0;
  size_t frame_bytes_;
  SquareScaler scale_;
  FramePtr shown_;
  bool is_scaled_ = false;  // the current picture was scaled already
  std::vector<uint8_t> pixels_;
};

Frames sample_still(const std::filesystem::path& path, const FrameOptions& options) {
  const int64_t size = options.image_size;
  return {to_square(read_image(path), size).reshape({1, size, size, 3}), {frame_time(0, options)}};
}

// Rotation from the container, else from the EXIF data of a picture that FFmpeg decodes (WebP, TIFF).
Orientation shown_orientation(MediaFile& file, const AVStream& stream) {
  const Orientation orientation = orientation_of(stream);
  return orientation == Orientation{} ? exif_orientation(file.source()) : orientation;
}

[[noreturn]] void refuse_without_picture(MediaFile& file, const Decoder& decoder) {
  const std::string path = file.path().string();
  if (is_animated_webp(file.source()))
    throw DataError(str(path, ": an animated WebP picture, which this FFmpeg (libavcodec ", LIBAVCODEC_VERSION_MAJOR,
                        ") cannot read; make a GIF, an APNG or a video of it"));
  throw DataError(str(path, ": no picture of its video stream can be decoded",
                      decoder.last_reason().empty() ? "" : ": " + decoder.last_reason()));
}

Frames sample_video(MediaFile& file, int stream_index, const FrameOptions& options) {
  std::vector<double> times;
  for (int64_t k = 0; k < max_frame_count(options); ++k) times.push_back(frame_time(k, options));
  const PicturePlan plan = plan_pictures(file.path(), stream_index, times);
  DecoderOptions decoding;
  decoding.hardware = options.hardware;
  if (plan.is_known) decoding.is_needed = [&](const AVPacket& packet) { return plan.needs(packet); };
  Decoder decoder(file, stream_index, decoding);
  Sampler sampler(options, shown_orientation(file, decoder.stream()));
  double end = 0;  // end of the current picture if no other follows
  while (!sampler.full()) {
    AVFrame* frame = decoder.next_frame();
    if (frame == nullptr) break;
    const double begin = decoder.seconds(*frame).value_or(end);
    if (sampler.has_picture()) sampler.show_until(begin);
    end = begin + (plan.picture_seconds > 0 ? plan.picture_seconds : shown_seconds(*frame, decoder.stream(), options));
    sampler.show(*frame);
  }
  if (!sampler.has_picture()) refuse_without_picture(file, decoder);
  sampler.show_until(plan.is_known ? plan.end_seconds : end);
  const bool is_short = !sampler.full();
  if (is_short && (decoder.truncated() || plan.ending.is_cut))
    throw Truncated(str(file.path().string(), ": truncated: its pictures end at second ",
                        std::round((plan.is_known ? plan.end_seconds : end) * 10) / 10,
                        decoder.last_reason().empty() ? "" : ": " + decoder.last_reason()));
  if (sampler.taken() == 0) sampler.take();
  Frames frames = sampler.finish();
  if (is_short) frames.note = plan.ending.note;
  if (const std::string damage = decoder.damage(); !damage.empty())
    frames.note += (frames.note.empty() ? "" : "; ") + ("its pictures are " + damage);
  return frames;
}

}  // namespace

int64_t max_frame_count(const FrameOptions& options) {
  check(options);
  // Frame k exists while (k + 1/2) / rate < seconds; 1e-9 guards against 10 s * 2 = 19.999... or 20.001.
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::ceil(options.max_seconds * options.frames_per_second - 0.5 - 1e-9)));
}

std::optional<Frames> sample_frames(const std::filesystem::path& path, const FrameOptions& options) {
  check(options);
  if (is_still_image(path)) return sample_still(path, options);
  MediaFile file(path);
  const std::optional<int> stream = file.video_stream();
  if (!stream) return std::nullopt;
  try {
    return sample_video(file, *stream, options);
  } catch (DataError& error) {
    const std::string_view what = error.what();
    if (what.find(path.string()) != std::string_view::npos) throw;
    throw DataError(str(path.string(), ": ", what));
  }
}

}  // namespace avs
