// What clips a folder holds, of which class, in which split: reading a data set's layout before any file is decoded.
//
// Three layouts are understood:
//   DCASE      ROOT/{meta.csv, evaluation_setup/fold1_{train,test,evaluate}.csv}, or the same under ROOT/<name of
//   ROOT>.meta/;
//              paths inside are relative to ROOT, and filename_audio may equal filename_video. Without a fold file for
//              testing, meta.csv alone is split like the third layout.
//              A table of sound alone calls its column filename.
//   split      ROOT/{train,training}/CLASS/*, ROOT/{test,testing,eval,evaluation}/CLASS/*, and, where it exists,
//              ROOT/{val,valid,validation,dev,development}/CLASS/*; capitals and an ending like "_set" do not matter,
//              and eval beside test is the validation split
//   classes    ROOT/CLASS/*
//
// Two folders named like splits beside others that are not, and splits inside the classes, are errors: neither reading
// is safe. What is in a class folder but no clip is told in `skipped` (folder_walk.h).
//
// Where the folder gives no test or validation split, split.h cuts it from the training clips once they are decoded.
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
  std::array<bool, 3> gives = {};    // by Split: does the folder say which clips belong to it?
  std::vector<std::string> classes;  // sorted
  std::vector<Clip> clips;           // sorted by name
  std::vector<Skipped> skipped;      // listed in a CSV or found in a folder, but no file to read
  std::vector<std::string> notes;    // worth telling: a clip whose sound or picture file is missing, a row listed twice
};

// UsageError: no such folder. DataError, one line with file and reason: unknown layout, an unknown or missing label, a
// clip listed with two labels or in two splits, two files of one name, an empty class, fewer than two classes.
Layout read_layout(const std::filesystem::path& root);

// The recording a file name tells: "coast-1-28135" of "coast-1-28135-A.mp4"; empty where it tells none.
std::string recording_of(std::string_view file_name);

}  // namespace avs::data
