// What clips a folder holds, of which class, in which split: reading a data set's layout before any file is decoded.
//
// Three layouts are understood:
//   DCASE      ROOT/{meta.csv, evaluation_setup/fold1_{train,test,evaluate}.csv}, or the same under ROOT/<name of
//   ROOT>.meta/;
//              paths inside are relative to ROOT, and filename_audio may equal filename_video. Without a fold file for
//              testing, meta.csv alone is split like the third layout.
//   split      ROOT/train/CLASS/*, ROOT/test/CLASS/*, and ROOT/{val,validation}/CLASS/* where it exists
//   classes    ROOT/CLASS/*
//
// Where the folder gives no test or validation split, split.h cuts it from the training clips once they are decoded.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace avs::data {

enum class Split : uint8_t { Train, Validation, Test };
inline constexpr std::array<Split, 3> kSplits = {Split::Train, Split::Validation, Split::Test};
std::string_view name_of(Split split);         // "train", "validation", "test"
Split split_from_name(std::string_view name);  // also "val"; UsageError lists the names

struct Clip {
  std::string name;          // unique: a CSV's file stem, or the path inside ROOT
  std::string audio, video;  // relative to ROOT; equal when one file holds both; empty when that file is missing
  int64_t label = 0;         // index into the class names
  Split split = Split::Train;
};

struct Skipped {
  std::string name, reason;  // the reason names the file
};

struct Layout {
  std::filesystem::path root;        // absolute
  std::string kind;                  // "DCASE", "split folders" or "class folders"
  std::array<bool, 3> gives = {};    // by Split: does the folder say which clips belong to it?
  std::vector<std::string> classes;  // sorted
  std::vector<Clip> clips;           // sorted by name
  std::vector<Skipped> skipped;      // listed in a CSV, but no file there
  std::vector<std::string> notes;    // worth telling: a clip whose sound or picture file is missing, a row listed twice
};

// UsageError: no such folder. DataError, one line with file and reason: unknown layout, an unknown or missing label, a
// clip listed with two labels or in two splits, two files of one name, an empty class, fewer than two classes.
Layout read_layout(const std::filesystem::path& root);

// The recording a file name tells: "coast-1-28135" of "coast-1-28135-A.mp4"; empty where it tells none.
std::string recording_of(std::string_view file_name);

}  // namespace avs::data
