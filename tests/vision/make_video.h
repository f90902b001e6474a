// Small video files with known pixels: pictures are painted directly in the pixel format, by the standard's formulas in
// double precision, and stored losslessly (FFV1 in Matroska by default), so that tests do not depend on libswscale.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "vision/container.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>
}

namespace avs::test {

using Rgb = std::array<double, 3>;                                      // 0..255
using Painter = std::function<Rgb(int64_t frame, double u, double v)>;  // u, v: position in [0, 1), from left and top

struct VideoSpec {
  std::string container = "matroska", codec = "ffv1";
  int width = 64, height = 48;
  AVPixelFormat format = AV_PIX_FMT_YUV444P;
  AVColorSpace matrix = AVCOL_SPC_UNSPECIFIED;   // unspecified is painted as BT.601
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;  // unspecified is painted as limited; grey as full
  AVRational pixel_aspect = {1, 1};
  double rotation_degrees = 0;          // clockwise rotation for display
  std::vector<int64_t> times_ms = {0};  // timestamp of each picture
  int64_t last_ms = 100;                // duration of the last picture
  std::map<std::string, std::string> muxer_options = {};
  std::vector<int64_t> chapter_ends_ms = {};
  Painter paint = [](int64_t, double, double) { return Rgb{255, 0, 0}; };
};

inline void require(int code, const char* what) {
  if (code < 0) throw Error(str(what, ": ", ffmpeg_reason(code)));
}

// Y', Cb, Cr, scaled to the pixel format's depth.
inline std::array<double, 3> to_yuv(const Rgb& rgb, AVColorSpace matrix, bool full_range, int depth) {
  double kr = 0.299, kb = 0.114;  // BT.601
  if (matrix == AVCOL_SPC_BT709) kr = 0.2126, kb = 0.0722;
  if (matrix == AVCOL_SPC_BT2020_NCL) kr = 0.2627, kb = 0.0593;
  const double r = rgb[0] / 255, g = rgb[1] / 255, b = rgb[2] / 255;
  const double y = kr * r + (1 - kr - kb) * g + kb * b;
  const double cb = (b - y) / (2 * (1 - kb)), cr = (r - y) / (2 * (1 - kr));
  const double unit = std::ldexp(1.0, depth - 8), top = std::ldexp(1.0, depth) - 1, half = std::ldexp(1.0, depth - 1);
  if (full_range) return {y * top, cb * top + half, cr * top + half};
  return {(16 + 219 * y) * unit, 224 * cb * unit + half, 224 * cr * unit + half};
}

inline void put(AVFrame& frame, int plane, int step, int offset, int x, int y, double value, int depth) {
  uint8_t* at = frame.data[plane] + y * frame.linesize[plane] + x * step + offset;
  const auto rounded = static_cast<uint16_t>(std::lround(value));
  if (depth > 8)
    std::memcpy(at, &rounded, 2);
  else
    *at = static_cast<uint8_t>(rounded);
}

inline void paint_frame(AVFrame& frame, const VideoSpec& spec, int64_t k) {
  const AVPixFmtDescriptor& format = *av_pix_fmt_desc_get(spec.format);
  const bool is_rgb = (format.flags & AV_PIX_FMT_FLAG_RGB) != 0, is_grey = format.nb_components == 1;
  const bool full = spec.range == AVCOL_RANGE_JPEG || (is_grey && spec.range == AVCOL_RANGE_UNSPECIFIED);
  for (int c = 0; c < format.nb_components; ++c) {
    const AVComponentDescriptor& component = format.comp[c];
    const bool is_chroma = !is_rgb && (c == 1 || c == 2);
    const int w = is_chroma ? AV_CEIL_RSHIFT(spec.width, format.log2_chroma_w) : spec.width;
    const int h = is_chroma ? AV_CEIL_RSHIFT(spec.height, format.log2_chroma_h) : spec.height;
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        const Rgb rgb = spec.paint(k, (x + 0.5) / w, (y + 0.5) / h);
        const bool is_alpha = c == 3;  // transparent: the colour must survive
        const double value = is_alpha ? 0
                             : is_rgb ? rgb[static_cast<size_t>(c)]
                                      : to_yuv(rgb, spec.matrix, full, component.depth)[static_cast<size_t>(c)];
        put(frame, component.plane, component.step, component.offset, x, y, value, component.depth);
      }
  }
}

class VideoFile {  // owns the muxer while a file is written
 public:
  VideoFile(const std::filesystem::path& path, const VideoSpec& spec) {
    AVFormatContext* format = nullptr;
    require(avformat_alloc_output_context2(&format, nullptr, spec.container.c_str(), path.c_str()), "muxer");
    format_.reset(format);
    require(avio_open(&format->pb, path.c_str(), AVIO_FLAG_WRITE), path.c_str());
    const AVCodec* encoder = avcodec_find_encoder_by_name(spec.codec.c_str());
    if (encoder == nullptr) throw Error(str("no encoder ", spec.codec));
    codec_.reset(avcodec_alloc_context3(encoder));
    codec_->width = spec.width;
    codec_->height = spec.height;
    codec_->pix_fmt = spec.format;
    codec_->colorspace = spec.matrix;
    codec_->color_range = spec.range;
    codec_->sample_aspect_ratio = spec.pixel_aspect;
    codec_->time_base = {1, 1000};
    codec_->thread_count = 1;
    codec_->flags |= AV_CODEC_FLAG_QSCALE;  // mpeg4 and mjpeg: best quality
    codec_->global_quality = FF_QP2LAMBDA;
    if ((format->oformat->flags & AVFMT_GLOBALHEADER) != 0) codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    require(avcodec_open2(codec_.get(), nullptr, nullptr), spec.codec.c_str());
    stream_ = avformat_new_stream(format, nullptr);
    stream_->time_base = codec_->time_base;
    stream_->sample_aspect_ratio = spec.pixel_aspect;
    require(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "stream");
    if (spec.rotation_degrees != 0) {
      auto* matrix = reinterpret_cast<int32_t*>(av_stream_new_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, 36));
      av_display_rotation_set(matrix, spec.rotation_degrees);
    }
    add_chapters(spec.chapter_ends_ms);
    AVDictionary* options = nullptr;
    for (const auto& [name, value] : spec.muxer_options) av_dict_set(&options, name.c_str(), value.c_str(), 0);
    const int code = avformat_write_header(format, &options);
    av_dict_free(&options);
    require(code, "header");
  }
  ~VideoFile() { avio_closep(&format_->pb); }

  void encode(const AVFrame* frame, const VideoSpec& spec) {
    require(avcodec_send_frame(codec_.get(), frame), "encode");
    const PacketPtr packet = make_packet();
    while (avcodec_receive_packet(codec_.get(), packet.get()) == 0) {
      packet->duration = duration_after(packet->pts, spec);
      av_packet_rescale_ts(packet.get(), codec_->time_base, stream_->time_base);
      packet->stream_index = 0;
      require(av_interleaved_write_frame(format_.get(), packet.get()), "write");
    }
  }
  void end() { require(av_write_trailer(format_.get()), "trailer"); }

 private:
  static int64_t duration_after(int64_t pts, const VideoSpec& spec) {
    for (size_t i = 0; i + 1 < spec.times_ms.size(); ++i)
      if (spec.times_ms[i] == pts) return spec.times_ms[i + 1] - pts;
    return spec.last_ms;
  }
  void add_chapters(const std::vector<int64_t>& ends_ms) {  // freed with the muxer
    if (ends_ms.empty()) return;
    format_->chapters = static_cast<AVChapter**>(av_calloc(ends_ms.size(), sizeof(AVChapter*)));
    for (size_t i = 0; i < ends_ms.size(); ++i) {
      auto* const chapter = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
      chapter->id = static_cast<int64_t>(i) + 1;
      chapter->time_base = {1, 1000};
      chapter->start = i == 0 ? 0 : ends_ms[i - 1];
      chapter->end = ends_ms[i];
      av_dict_set(&chapter->metadata, "title", "part", 0);
      format_->chapters[format_->nb_chapters++] = chapter;
    }
  }

  FormatPtr format_;
  CodecPtr codec_;
  AVStream* stream_ = nullptr;
};

inline void make_video(const std::filesystem::path& path, const VideoSpec& spec) {
  VideoFile file(path, spec);
  for (size_t k = 0; k < spec.times_ms.size(); ++k) {
    const FramePtr frame = make_frame();
    frame->format = spec.format;
    frame->width = spec.width;
    frame->height = spec.height;
    frame->pts = spec.times_ms[k];
    frame->color_range = spec.range;
    frame->colorspace = spec.matrix;
    require(av_frame_get_buffer(frame.get(), 0), "frame");
    paint_frame(*frame, spec, static_cast<int64_t>(k));
    file.encode(frame.get(), spec);
  }
  file.encode(nullptr, spec);
  file.end();
}

inline std::vector<int64_t> regular_ms(int64_t frames, double frames_per_second) {
  std::vector<int64_t> times;
  for (int64_t k = 0; k < frames; ++k)
    times.push_back(std::llround(1000.0 * static_cast<double>(k) / frames_per_second));
  return times;
}

// A test's own folder, removed afterwards.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "avscene-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error("no temporary folder");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace avs::test
