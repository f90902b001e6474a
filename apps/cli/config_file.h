// Reads --config files: TOML lines of a flag's name and its value (string, number or boolean) or list of values.
#pragma once

#include <string>
#include <vector>

namespace avs {

struct ConfigLine {
  std::string name;                 // the flag's name without dashes
  std::vector<std::string> values;  // the same text as on the command line
};

// DataError: invalid TOML or an unsupported value, with its position: "3:5: …".
std::vector<ConfigLine> read_config(const std::string& text);

// Quotes text as a TOML basic string. UsageError: text that is not UTF-8, which TOML cannot hold.
std::string toml_string(const std::string& text);

}  // namespace avs
