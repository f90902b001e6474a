// AVS_CHECK for programs: the user's input or a file is wrong, so the message has neither condition nor source
// location.
#pragma once

#include "tensor/error.h"

namespace avs {

template <typename ErrorType, typename... Parts>
void require(bool holds, const Parts&... message) {
  if (!holds) throw ErrorType(str(message...));
}

}  // namespace avs
