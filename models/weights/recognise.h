// Which network, of which library, do the names of a file belong to?
#pragma once

#include <map>
#include <string>

#include "models/weights/layout.h"

namespace avs::weights {

struct Recognised {
  WeightSource source;
  Layout layout;
  std::map<std::string, const SourceTensor*> by_key;
  std::optional<BackboneOptions> own;  // of our own checkpoints

  std::string describe() const;  // "safetensors with timm's names"
  int64_t classes() const;       // of the classifier in the file; 0: none
  const SourceTensor* find(const Rule& rule) const;
};

// `model` is the network asked for; empty: whichever it is. DataError: unreadable, no known layout (naming the
// nearest), or not weights of `model`, which may be one of our other networks, or another size of the same.
Recognised recognise(const std::filesystem::path& file, const std::string& model);

}  // namespace avs::weights
