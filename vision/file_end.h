// Is a file complete by its own structure? The lengths of boxes (MP4), segments (Matroska), chunks (AVI, WAV, AIFF,
// AU), tags (FLV), pages (Ogg) and the file (ASF) tell a cut file from a complete one whose header states too long a
// duration.
#pragma once

#include "vision/source_file.h"

namespace avs {

enum class FileEnd {
  Whole,
  Cut,      // bytes that the structure announces are missing
  Unknown,  // the format states no lengths, or is not one of the above
};

FileEnd end_of(SourceFile& file);

// A fragmented MP4: each fragment states only its own length.
bool is_fragmented(SourceFile& file);

}  // namespace avs
