#include "layers/side_by_side.h"

#include <optional>

#include "autograd/profile.h"
#include "tensor/lanes.h"

namespace avs {

std::vector<Variable> side_by_side(Device device, size_t count, const std::function<Variable(size_t branch)>& run) {
  std::vector<Variable> outputs;
  std::optional<Lanes> lanes;
  if (!profile::on()) lanes.emplace(device);
  for (size_t branch = 0; branch < count; ++branch) {
    if (lanes) lanes->enter(static_cast<int>(branch));
    outputs.push_back(run(branch));
  }
  if (lanes) lanes->join();
  return outputs;
}

}  // namespace avs
