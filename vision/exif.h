// Display orientation by EXIF tag 0x0112, which JPEG stores in an APP1 segment, PNG in an eXIf chunk, WebP in an EXIF
// chunk, TIFF in its own directory.
#pragma once

#include "vision/scale.h"
#include "vision/source_file.h"

namespace avs {

// Returns the identity for other formats, without the tag, or if it is malformed. Reads a few bytes of each chunk.
Orientation exif_orientation(SourceFile& file);

// Is a PNG animated (APNG's acTL chunk before its pixels), a WebP (flag of its VP8X chunk)?
bool is_animated_png(SourceFile& file);
bool is_animated_webp(SourceFile& file);

}  // namespace avs
