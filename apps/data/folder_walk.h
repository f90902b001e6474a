// Walking a folder of media: which folders and files of it belong to the data set, and what is passed over and why.
//
// Hidden files are ignored, and so is what archivers, disks and desktops leave behind (__MACOSX, @eaDir, lost+found,
// Thumbs.db, …). Links are followed unless they lead back. Passed over with a reason: named pipes, devices, sockets,
// links to nothing or to a folder around them, names that are not UTF-8 (the index could not hold them), folders that
// may not be read, and a picture beside a video of the same name, which is its thumbnail.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/data/clip.h"

namespace avs::data {

class FolderWalk {
 public:
  explicit FolderWalk(const std::filesystem::path& root);  // absolute

  // The folders directly in `folder`, sorted. DataError: it cannot be read.
  std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);
  // All files below `folder`, sorted. DataError: it cannot be read.
  std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder);

  const std::vector<Skipped>& skipped() const { return skipped_; }  // so far

 private:
  using Chain = std::vector<std::filesystem::path>;  // the folders being walked, from the outermost, without links

  void add_files(Chain& chain, const std::filesystem::path& folder, std::vector<std::filesystem::path>& files);
  void add_entry(Chain& chain, const std::filesystem::directory_entry& entry,
                 std::vector<std::filesystem::path>& files);
  void skip(const std::filesystem::path& path, const std::string& reason);

  std::filesystem::path root_;
  std::vector<Skipped> skipped_;
};

}  // namespace avs::data
