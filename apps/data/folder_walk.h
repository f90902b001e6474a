// Walks a folder of media and selects the data set's files and folders.
//
// Ignored: hidden files, and files that archivers, disks and desktops create (__MACOSX, @eaDir, lost+found, Thumbs.db,
// …). Skipped with a reason: named pipes, devices, sockets, broken links, links to a folder that contains them, names
// that are not UTF-8 (the index cannot hold them), unreadable folders, and a picture beside a video of the same name
// (its thumbnail). Other links are followed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/data/clip.h"

namespace avs::data {

class FolderWalk {
 public:
  explicit FolderWalk(const std::filesystem::path& root);  // absolute

  // The direct subfolders of `folder`, sorted. DataError: unreadable.
  std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);
  // All files below `folder`, sorted. DataError: unreadable.
  std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder);

  const std::vector<Skipped>& skipped() const { return skipped_; }  // so far

 private:
  using Chain = std::vector<std::filesystem::path>;  // folders being walked, outermost first, links resolved

  void add_files(Chain& chain, const std::filesystem::path& folder, std::vector<std::filesystem::path>& files);
  void add_entry(Chain& chain, const std::filesystem::directory_entry& entry,
                 std::vector<std::filesystem::path>& files);
  void skip(const std::filesystem::path& path, const std::string& reason);

  std::filesystem::path root_;
  std::vector<Skipped> skipped_;
};

}  // namespace avs::data
