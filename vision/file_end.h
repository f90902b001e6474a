// Does a file end where its own structure ends? The lengths of boxes (MP4), segments (Matroska), chunks (AVI, WAV,
// AIFF, AU), tags (FLV), pages (Ogg) and of the file (ASF) tell a file that was cut from a whole one whose header
// promises too much: a duration alone cannot.
#pragma once

#include "vision/source_file.h"

namespace avs {

enum class FileEnd {
  Whole,
  Cut,      // bytes that the structure announces are missing
  Unknown,  // the format announces no lengths, or is none of the above
};

FileEnd end_of(SourceFile& file);

// An MP4 in fragments, each of which tells only how long it is itself.
bool is_fragmented(SourceFile& file);

}  // namespace avs
