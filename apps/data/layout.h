// Reads a data set's layout before any file is decoded: its clips, their classes and splits.
//
// Three layouts:
//   DCASE      ROOT/{meta.csv, evaluation_setup/fold1_{train,test,evaluate}.csv}, or the same under ROOT/NAME.meta/;
//              paths in the tables are relative to ROOT; filename_audio may equal filename_video; tables of sound
//              alone have one column, filename. Without a test fold, meta.csv is split like the third layout.
//   split      ROOT/{train,training}/CLASS/*, ROOT/{test,testing,eval,evaluation}/CLASS/*, and optionally
//              ROOT/{val,valid,validation,dev,development}/CLASS/*; capitals and an ending like "_set" are ignored;
//              eval beside test is the validation split
//   classes    ROOT/CLASS/*
//
// Errors, because the meaning would be ambiguous: two or more split folders beside other folders; split folders inside
// classes. Files in class folders that are no clips are listed in `skipped` (folder_walk.h).
//
// If the folder gives no test or validation split, split.h cuts it from the training clips after decoding.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "apps/data/folder_walk.h"
#include "models/data/clip.h"

namespace avs::data {

struct Layout {
  std::filesystem::path root;        // absolute
  std::string kind;                  // "DCASE", "split folders" or "class folders"
  std::array<bool, 3> gives = {};    // by Split: does the folder define this split?
  std::vector<std::string> classes;  // sorted
  std::vector<Clip> clips;           // sorted by name
  std::vector<Skipped> skipped;      // listed in a CSV or found in a folder, but unusable
  std::vector<std::string> notes;    // messages for the user: a clip without sound or picture file, a duplicate row
};

// UsageError: no such folder. DataError (one line with file and reason): unknown layout, an unknown or missing label, a
// clip with two labels or in two splits, two files of one name, an empty class, fewer than two classes.
Layout read_layout(const std::filesystem::path& root);

// The recording in a file name: "coast-1-28135" of "coast-1-28135-A.mp4"; empty if there is none.
std::string recording_of(std::string_view file_name);

}  // namespace avs::data
