// Which version of this project computes, on which library: written into checkpoints and printed by --version.
#pragma once

#include <string>

namespace avs {

std::string engine_version();  // "avscene 0.1.0, oneDNN 3.2.0"

}  // namespace avs
