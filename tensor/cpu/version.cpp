#include "tensor/version.h"

#include "tensor/cpu/onednn.h"

namespace avs {

std::string engine_version() {
  const dnnl_version_t* v = dnnl_version();
  return str("avscene 0.1.0, oneDNN ", v->major, ".", v->minor, ".", v->patch);
}

}  // namespace avs
