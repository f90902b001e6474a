// Recognises a weight file's format by its first bytes.
#include <algorithm>
#include <cctype>

#include "models/weights/hdf5.h"
#include "models/weights/source.h"
#include "models/weights/zip.h"

namespace avs::weights {
namespace {

constexpr uint64_t kStartBytes = 2048;

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// The text of <title>, for the message: usually "404 Not Found" or "Sign in".
std::string title_of(const std::string& page) {
  const std::string small = lower(page);
  const size_t open = small.find("<title");
  const size_t first = open == std::string::npos ? open : small.find('>', open);
  const size_t last = first == std::string::npos ? first : small.find("</title", first);
  if (last == std::string::npos) return "";
  std::string title = page.substr(first + 1, std::min<size_t>(last - first - 1, 80));
  for (char& c : title)
    if (static_cast<unsigned char>(c) < 32) c = ' ';
  return " (\"" + title + "\")";
}

// Files often mistaken for weights: each message says what to do.
void refuse_impostors(const std::string& file, const std::string& start) {
  const size_t text_at = start.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  if (start.empty()) throw DataError(file + ": is empty");
  if (text_at == std::string::npos) throw DataError(file + ": holds nothing but white space");
  const std::string text = lower(start.substr(text_at));
  if (text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<head"))
    throw DataError(file + ": is a web page" + title_of(start) +
                    ", not weights: the download went wrong; fetch the file itself");
  if (text.starts_with("<?xml"))
    throw DataError(file + ": is an XML answer of a server, not weights: fetch the file again");
  if (text.starts_with("version https://git-lfs.github.com/spec/")) {
    const size_t size = text.find("\nsize ");
    const std::string bytes =
        size == std::string::npos ? "" : text.substr(size + 6, text.find('\n', size + 1) - size - 6);
    throw DataError(file + ": is a Git LFS pointer, not weights: the file itself" +
                    (bytes.empty() || bytes.size() > 20 ? "" : ", of " + bytes + " bytes,") +
                    " comes with `git lfs pull`");
  }
  if (text.starts_with("{")) throw DataError(file + ": is JSON text (an index or a configuration), not weights");
  if (start.starts_with("\x1f\x8b")) throw DataError(file + ": is packed with gzip; unpack it first");
  if (start.starts_with("\x93NUMPY")) throw DataError(file + ": is a single NumPy array, not a network's weights");
  if (start.size() > 262 && start.compare(257, 5, "ustar") == 0)
    throw DataError(file + ": is a tar archive (torch before 0.1.2 saved so); save it again with a newer one");
}

// Bytes 0..7 are the header length; then JSON begins.
bool is_safetensors(const std::string& start) {
  if (start.size() < 9 || start[8] != '{') return false;
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= uint64_t{static_cast<uint8_t>(start[i])} << (8 * i);
  return length < (uint64_t{1} << 32);
}

bool is_pickle(const std::string& start) {
  return start.size() > 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5;
}

WeightSource read_archive(const Bytes& file) {
  const ZipArchive archive(file);
  const ZipMember* const keras = archive.find("model.weights.h5");
  if (keras == nullptr) {
    const bool numpy = !archive.members().empty() &&
                       std::all_of(archive.members().begin(), archive.members().end(),
                                   [](const ZipMember& member) { return member.name.ends_with(".npy"); });
    if (numpy) throw DataError(file.name() + ": is a NumPy archive (.npz), which no library publishes weights in");
    return read_torch_zip(file);
  }
  const Bytes inner = archive.read(*keras);
  if (!inner.begins_with(hdf5::kSignature)) throw DataError(inner.name() + ": is not an HDF5 file");
  WeightSource source = read_keras(inner);
  source.description += " in a .keras archive";
  return source;
}

}  // namespace

WeightSource open_weight_file(const std::filesystem::path& file) {
  const std::string start = read_start(file, kStartBytes);
  if (is_safetensors(start)) return read_safetensors(read_file(file));
  if (start.starts_with(hdf5::kSignature)) return read_keras(read_file(file));
  if (start.starts_with("PK\3\4")) return read_archive(read_file(file));
  if (is_pickle(start)) return read_torch_stream(read_file(file));
  refuse_impostors(file.string(), start);
  throw DataError(file.string() +
                  ": is no weight file: its content is neither HDF5 (Keras), zip or pickle (PyTorch) nor safetensors");
}

}  // namespace avs::weights
