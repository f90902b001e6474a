// AVS_CHECK for programs: what a person typed or a file holds is wrong, so the message names neither condition nor
// source.
#pragma once

#include "tensor/error.h"

namespace avs {

template <typename ErrorType, typename... Parts>
void require(bool holds, const Parts&... message) {
  if (!holds) throw ErrorType(str(message...));
}

}  // namespace avs
