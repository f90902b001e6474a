// The version of this project and of its library; checkpoints store it and --version prints it.
#pragma once

#include <string>

namespace avs {

std::string engine_version();  // "avscene 0.1.0, oneDNN 3.2.0"

}  // namespace avs
