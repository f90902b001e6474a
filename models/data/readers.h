// A version number per kind of media file. prepare makes an entry again if its files' readers have changed. If you
// change how a kind of file is decoded, increase its version in readers.cpp.
#pragma once

#include <map>
#include <string>

namespace avs::data {

// File extension (lower case, without the dot) → version. Extensions not listed have version 1.
using ReaderVersions = std::map<std::string, int>;
const ReaderVersions& reader_versions();  // this program's versions

// The readers of a clip's files with a version above 1, such as ", ts 2"; part of the entry's key.
std::string readers_of(const ReaderVersions& versions, const std::string& audio, const std::string& video);

}  // namespace avs::data
