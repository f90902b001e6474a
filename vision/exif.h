// How a camera says to lay its picture for display: tag 0x0112 of an EXIF directory, which JPEG keeps in an APP1
// segment, PNG in an eXIf chunk, WebP in an EXIF chunk; a TIFF file is such a directory itself.
#pragma once

#include "vision/scale.h"
#include "vision/source_file.h"

namespace avs {

// The identity where the file is none of the four, names no turn or is malformed. Reads a few bytes of each part.
Orientation exif_orientation(SourceFile& file);

// Does a PNG hold an animation (APNG's acTL chunk before its pixels), a WebP one (flag of its VP8X chunk)?
bool is_animated_png(SourceFile& file);
bool is_animated_webp(SourceFile& file);

}  // namespace avs
