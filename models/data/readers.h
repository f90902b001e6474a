// How files of a kind are read, as a version: an entry of the cache that an older version made is made again, and only
// that one.
//
// Whoever mends the reading of a kind of file, so that entries come out otherwise, raises its version in readers.cpp.
#pragma once

#include <map>
#include <string>

namespace avs::data {

// By the file name's ending, lower case, without the dot. Kinds that are not named have version 1.
using ReaderVersions = std::map<std::string, int>;
const ReaderVersions& reader_versions();  // of this program

// The readers of a clip's files whose version is above 1, such as ", ts 2": part of what its entry was made by.
std::string readers_of(const ReaderVersions& versions, const std::string& audio, const std::string& video);

}  // namespace avs::data
