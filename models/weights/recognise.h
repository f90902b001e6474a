// Recognises the network and library of a file by its tensor names, and the prefix of the names.
#pragma once

#include <map>
#include <string>

#include "models/weights/name_table.h"

namespace avs::weights {

// A network's body in a file: a table whose names occur after one prefix. Training scripts prepend the name of a
// wrapper, module or dictionary: "module.", "visual.trunk.", "state_dict.model.".
struct Body {
  const NameTable* table = nullptr;
  std::string prefix;
  size_t found = 0;  // number of the table's rules found
};

struct Recognised {
  WeightSource source;
  NameTable table;
  std::map<std::string, const SourceTensor*> by_key;
  std::optional<BackboneOptions> own;       // set for our own checkpoints
  std::string prefix;                       // prefix of the body's keys
  std::optional<std::string> head_prefix;   // prefix of the classifier's keys, if it reads the pooled features
  std::vector<std::string> other_prefixes;  // prefixes of other complete bodies
  std::string note;                         // if there are several bodies: the chosen one and the reason

  std::string describe() const;  // "safetensors with timm's names"
  int64_t classes() const;       // classes of the file's classifier; 0: none
  const SourceTensor* find(const Rule& rule) const;
  // The reason to skip a tensor without a rule; nullopt: it belongs to the body, so the file holds a different network.
  std::optional<std::string> reason_to_leave_out(const SourceTensor& tensor) const;
};

// `model`: the requested network; empty: any. If the file has several bodies, averaged weights are preferred (timm's
// state_dict_ema and model_ema), then a dictionary named state_dict, model, …. DataError: unreadable, no known table
// (names the nearest), an ambiguous choice of bodies (names them), or not `model` but another network or size.
Recognised recognise(const std::filesystem::path& file, const std::string& model);

}  // namespace avs::weights
