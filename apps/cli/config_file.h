// The text of --config files: TOML, its strings, numbers and booleans, one value or a list after each flag's name.
#pragma once

#include <string>
#include <vector>

namespace avs {

struct ConfigLine {
  std::string name;                 // of the flag, without dashes
  std::vector<std::string> values;  // as the command line would give them
};

// DataError: what is no such TOML, with its line: "3:5: …".
std::vector<ConfigLine> read_config(const std::string& text);

// A TOML basic string with its quotes. UsageError: text that is not UTF-8, which no TOML file can hold.
std::string toml_string(const std::string& text);

}  // namespace avs
