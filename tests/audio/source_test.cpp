// Opening files, and I/O errors that a library takes for the end of a file.
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "audio/decode.h"
#include "tests/audio/encode_sound.h"
#include "tests/audio/read_fault.h"
#include "tests/audio/support.h"
#include "tests/vision/container_writer.h"

namespace avs {
namespace {

using testing::HasSubstr;

int open_a_socket(const std::filesystem::path& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

TEST(SourceFile, IsNeitherAPipeNorADeviceNorASocket) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe.wav").c_str(), 0600), 0);
  const int socket = open_a_socket(folder / "socket.wav");
  std::filesystem::create_symlink("/dev/zero", folder / "device.wav");
  for (const std::string name : {"pipe.wav", "socket.wav", "device.wav"})
    EXPECT_THAT(message_of<DataError>([&] { decode_sound(folder / name); }),
                (folder / name).string() + ": not a regular file");
  ::close(socket);
}

TEST(SourceFile, ThatLinksToItselfCannotBeOpened) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink(folder / "loop.wav", folder / "loop.wav");
  EXPECT_THAT(message_of<CannotOpen>([&] { decode_sound(folder / "loop.wav"); }), HasSubstr("cannot be opened"));
}

// Fails each read in turn: an I/O error must not look like the end of a shorter sound.
TEST(SourceFile, WhoseReadingFailsIsAnErrorOfTheMachine) {
  const TemporaryFolder folder;
  write_sound(folder / "x.wav", tone(440, 1, 32000, 2), SF_FORMAT_WAV | SF_FORMAT_PCM_24);
  encode_sound(folder / "x.flac", {.muxer = "flac", .encoder = "flac", .seconds = 2});
  encode_sound(folder / "x.mkv", {.muxer = "matroska", .encoder = "pcm_s16le", .seconds = 1});
  encode_sound(folder / "x.mp4", {.muxer = "mp4", .encoder = "aac", .seconds = 2});
  for (const std::string name : {"x.wav", "x.flac", "x.mkv", "x.mp4"}) {
    const size_t whole = decode_sound(folder / name)->samples.size();
    int nth = 1;
    for (;; ++nth) {
      const test::ReadFault fault(nth);
      try {
        const auto sound = decode_sound(folder / name);
        if (test::ReadFault::has_failed) FAIL() << name << ": read " << nth << " failed unnoticed";
        EXPECT_EQ(sound->samples.size(), whole);
        break;
      } catch (const SystemError& error) {
        EXPECT_EQ(error.what(), (folder / name).string() + ": cannot be read: " + std::strerror(EIO));
      }
    }
    EXPECT_GT(nth, 3) << name;
  }
}

TEST(SourceFile, WithoutADescriptorLeftIsAnErrorOfTheMachine) {
  const TemporaryFolder folder;
  write_sound(folder / "x.wav", tone(440, 1, 8000, 1), SF_FORMAT_WAV | SF_FORMAT_PCM_16);
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = ::dup(0);
  ::close(next);
  const rlimit none = {static_cast<rlim_t>(next), limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::string message;
  try {
    decode_sound(folder / "x.wav");
  } catch (const SystemError& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(message, (folder / "x.wav").string() + ": cannot be opened: " + std::strerror(EMFILE));
}

// ---- demuxers ---------------------------------------------------------------

struct Playlist {
  std::string format, text;
};

TEST(MediaFile, IsNoDescriptionOfOtherFiles) {
  const TemporaryFolder folder;
  encode_sound(folder / "secret.mp4", {.muxer = "mp4", .encoder = "aac", .seconds = 1});
  const std::string secret = (folder / "secret.mp4").string();
  const std::vector<Playlist> playlists = {
      {"concat", "ffconcat version 1.0\nfile secret.mp4\n"},
      {"concat", "ffconcat version 1.0\nfile x.mp4\n"},
      {"hls", "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + secret + "\n#EXT-X-ENDLIST\n"},
      {"dash",
       "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" "
       "profiles=\"urn:mpeg:dash:profile:isoff-main:2011\"><Period>"
       "<AdaptationSet><Representation id=\"0\" mimeType=\"audio/mp4\"><BaseURL>file://" +
           secret + "</BaseURL></Representation></AdaptationSet></Period></MPD>\n"},
      {"sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"},
      {"svg_pipe", "<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>\n"}};
  for (const Playlist& playlist : playlists) {
    if (av_find_input_format(playlist.format.c_str()) == nullptr) continue;
    for (const std::string name : {"x.mp4", "x.m3u8", "x.mpd", "x.svg"}) {
      write_text(folder / name, playlist.text);
      const std::string message = message_of<DataError>([&] { MediaFile(folder / name); });
      if (name == "x.mp4") {
        EXPECT_THAT(message, HasSubstr("not a media file but a description of others (" + playlist.format));
      }
      std::filesystem::remove(folder / name);
    }
  }
}

TEST(MediaFile, IsNoSeriesOfNumberedFiles) {
  const TemporaryFolder folder;
  encode_sound(folder / "a%d.wav", {.muxer = "wav", .encoder = "adpcm_ms", .seconds = 1});
  EXPECT_EQ(MediaFile(folder / "a%d.wav").stream(0).codecpar->codec_id, AV_CODEC_ID_ADPCM_MS);
  write_text(folder / "a%d.png", "no picture");
  EXPECT_THROW(MediaFile(folder / "a%d.png"), DataError);
}

// Writes every format that FFmpeg has an encoder for, and reads it with the same demuxer as FFmpeg alone.
TEST(MediaFile, IsOfEveryFormatWithSoundThatFfmpegWrites) {
  const TemporaryFolder folder;
  void* position = nullptr;
  int opened = 0;
  while (const AVOutputFormat* const muxer = av_muxer_iterate(&position)) {
    const AVCodec* const encoder = avcodec_find_encoder(muxer->audio_codec);
    if (encoder == nullptr || (muxer->flags & AVFMT_NOFILE) != 0 || muxer->extensions == nullptr) continue;
    const std::string extensions = muxer->extensions;
    const std::filesystem::path path = folder / ("x." + extensions.substr(0, extensions.find(',')));
    try {
      const int rate = encoder->supported_samplerates != nullptr ? encoder->supported_samplerates[0] : 8000;
      encode_sound(path, {.muxer = muxer->name, .encoder = encoder->name, .seconds = 1, .rate_hz = rate});
    } catch (const Error&) {
      continue;  // this muxer or encoder does not accept a plain tone
    }
    AVFormatContext* plain = nullptr;
    if (avformat_open_input(&plain, path.c_str(), nullptr, nullptr) < 0) continue;
    const FormatPtr theirs(plain);
    const std::string name = plain->iformat->name;
    if (avformat_find_stream_info(plain, nullptr) < 0 || plain->nb_streams == 0 || name == "hls" || name == "dash")
      continue;
    EXPECT_EQ(MediaFile(path).native().iformat->name, name) << muxer->name;
    ++opened;
  }
  EXPECT_GT(opened, 20);
}

}  // namespace
}  // namespace avs
