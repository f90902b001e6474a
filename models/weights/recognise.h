// Recognises the network and library that a file's names belong to, and the prefix in front of them.
#pragma once

#include <map>
#include <string>

#include "models/weights/layout.h"

namespace avs::weights {

// A network's body in a file: the layout whose names stand there behind one prefix. Training scripts put a wrapper, a
// module or a dictionary before every name: "module.", "visual.trunk.", "state_dict.model.".
struct Body {
  const Layout* layout = nullptr;
  std::string prefix;
  size_t found = 0;  // of the layout's rules
};

struct Recognised {
  WeightSource source;
  Layout layout;
  std::map<std::string, const SourceTensor*> by_key;
  std::optional<BackboneOptions> own;       // of our own checkpoints
  std::string prefix;                       // of the body's keys
  std::optional<std::string> head_prefix;   // of the classifier's; none: no classifier on the pooled features
  std::vector<std::string> other_prefixes;  // of whole bodies that were not taken
  std::string note;                         // which body was taken and why, where there are several

  std::string describe() const;  // "safetensors with timm's names"
  int64_t classes() const;       // of the classifier in the file; 0: none
  const SourceTensor* find(const Rule& rule) const;
  // Why a tensor that no rule finds is left out, or nothing: then the file's body is another than the layout's.
  std::optional<std::string> reason_to_leave_out(const SourceTensor& tensor) const;
};

// `model` is the network asked for; empty: whichever it is. Of several bodies, averaged weights are taken before those
// they average (timm's state_dict_ema and model_ema), then a dictionary called state_dict, model, … before others.
// DataError: unreadable, no known layout (naming the nearest), several bodies without such an order (naming them), or
// not weights of `model`, which may be one of our other networks, or another size of the same.
Recognised recognise(const std::filesystem::path& file, const std::string& model);

}  // namespace avs::weights
