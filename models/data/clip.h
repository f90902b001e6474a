// A clip of a data set: its files, its class and its split.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace avs::data {

enum class Split : uint8_t { Train, Validation, Test };
inline constexpr std::array<Split, 3> kSplits = {Split::Train, Split::Validation, Split::Test};
std::string_view name_of(Split split);         // "train", "validation", "test"
Split split_from_name(std::string_view name);  // also "val"; UsageError lists the valid names

struct Clip {
  std::string name;          // unique: a CSV's file stem, or the path inside ROOT
  std::string audio, video;  // relative to ROOT; equal if one file holds both; empty if missing
  int64_t label = 0;         // index into the class names
  Split split = Split::Train;
};

struct Skipped {
  std::string name, reason;  // the reason names the file; both are safe to show
};

}  // namespace avs::data
