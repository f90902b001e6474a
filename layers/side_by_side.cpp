#include "layers/side_by_side.h"

#include <optional>

#include "autograd/profile.h"
#include "tensor/lanes.h"

namespace avs {

void side_by_side(Device device, size_t count, const std::function<void(size_t)>& run) {
  std::optional<Lanes> lanes;
  if (!profile::on() && count > 1) lanes.emplace(device);
  for (size_t branch = 0; branch < count; ++branch) {
    if (lanes) lanes->enter(static_cast<int>(branch));
    run(branch);
  }
  if (lanes) lanes->join();
}

}  // namespace avs
