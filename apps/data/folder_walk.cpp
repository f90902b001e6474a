#include "apps/data/folder_walk.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <system_error>

#include "models/file.h"
#include "models/printable.h"
#include "tensor/error.h"

namespace avs::data {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 8> kLeftBehind = {"__macosx",   "@eadir",       "#recycle",
                                                         "lost+found", "$recycle.bin", "system volume information",
                                                         "thumbs.db",  "desktop.ini"};
constexpr std::array<std::string_view, 6> kPictures = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"};
constexpr std::array<std::string_view, 15> kVideos = {".mp4", ".m4v", ".mov",  ".mkv", ".webm", ".avi", ".mpg", ".mpeg",
                                                      ".ts",  ".mts", ".m2ts", ".flv", ".wmv",  ".3gp", ".ogv"};

std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

template <size_t N>
bool is_one_of(const std::array<std::string_view, N>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), lower_case(word)) != words.end();
}

bool is_ignored(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') || is_one_of(kLeftBehind, name);
}

// The folder's entries that are not ignored, sorted by name.
std::vector<fs::directory_entry> entries_of(const fs::path& folder, std::error_code& error) {
  std::vector<fs::directory_entry> entries;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::end(it); it.increment(error))
    if (!is_ignored(it->path())) entries.push_back(*it);
  if (error && error != std::errc::permission_denied)
    throw SystemError(str(printable(folder.string()), ": cannot be read: ", error.message()));
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool contains(const fs::path& folder, const fs::path& path) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

// Does the link's target contain one of the folders being walked?
bool leads_back(const fs::path& folder, const std::vector<fs::path>& chain) {
  return std::any_of(chain.begin(), chain.end(), [&](const fs::path& walked) { return contains(folder, walked); });
}

}  // namespace

FolderWalk::FolderWalk(const fs::path& root) : root_(fs::canonical(root)) {}

void FolderWalk::skip(const fs::path& path, const std::string& reason) {
  skipped_.push_back(
      {printable(path.lexically_relative(root_).generic_string()), str(printable(path.string()), ": ", reason)});
}

std::vector<fs::path> FolderWalk::folders_in(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : entries_of(folder, error)) {
    std::error_code unknown;  // a broken link is no folder
    if (!entry.is_directory(unknown)) continue;
    if (entry.is_symlink(unknown) && leads_back(fs::canonical(entry.path()), {fs::canonical(folder)})) {
      skip(entry.path(), "is a link to a folder around it");
      continue;
    }
    folders.push_back(entry.path());
  }
  if (error) throw DataError(str(printable(folder.string()), ": cannot be read: ", error.message()));
  return folders;
}

std::vector<fs::path> FolderWalk::files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  Chain chain = {fs::canonical(folder)};
  add_files(chain, folder, files);
  std::sort(files.begin(), files.end());
  return files;
}

void FolderWalk::add_files(Chain& chain, const fs::path& folder, std::vector<fs::path>& files) {
  std::error_code error;
  const std::vector<fs::directory_entry> entries = entries_of(folder, error);
  if (error) return skip(folder, str("cannot be read: ", error.message()));
  std::set<fs::path> videos;  // names without extension
  for (const fs::directory_entry& entry : entries)
    if (is_one_of(kVideos, entry.path().extension().string())) videos.insert(entry.path().stem());
  for (const fs::directory_entry& entry : entries) {
    if (is_one_of(kPictures, entry.path().extension().string()) && videos.contains(entry.path().stem()))
      skip(entry.path(), "is the thumbnail of the video beside it");
    else
      add_entry(chain, entry, files);
  }
}

void FolderWalk::add_entry(Chain& chain, const fs::directory_entry& entry, std::vector<fs::path>& files) {
  const fs::path& path = entry.path();
  std::error_code unknown;
  if (entry.is_directory(unknown)) {
    fs::path place = fs::canonical(path);
    if (leads_back(place, chain)) return skip(path, "is a link to a folder around it");
    chain.push_back(std::move(place));
    add_files(chain, path, files);
    chain.pop_back();
    return;
  }
  if (const std::string reason = why_no_file(path); !reason.empty()) return skip(path, reason);
  if (!is_utf8(path.lexically_relative(root_).string())) return skip(path, "its name is not UTF-8; rename it");
  files.push_back(path);
}

}  // namespace avs::data
