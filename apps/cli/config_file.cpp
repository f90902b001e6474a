#include "apps/cli/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <nlohmann/json.hpp>

#include "tensor/error.h"

namespace avs {
namespace {

template <typename Node>
std::string place_of(const Node& node) {
  return str(node.source().begin.line, ":", node.source().begin.column, ": ");
}

std::string scalar_of(const std::string& name, const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return str(whole->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* yes = node.as_boolean()) return yes->get() ? "true" : "false";
  throw DataError(str(place_of(node), name, " is neither text nor a number nor true or false, nor a list of them"));
}

}  // namespace

std::vector<ConfigLine> read_config(const std::string& text) {
  std::vector<ConfigLine> lines;
  try {
    for (const auto& [key, node] : toml::parse(std::string_view(text))) {
      ConfigLine line{std::string(key.str()), {}};
      if (const toml::array* list = node.as_array()) {
        for (const toml::node& item : *list) line.values.push_back(scalar_of(line.name, item));
        if (line.values.empty())
          throw DataError(str(place_of(node), line.name, " is an empty list; leave the line out instead"));
      } else {
        line.values.push_back(scalar_of(line.name, node));
      }
      lines.push_back(std::move(line));
    }
  } catch (const toml::parse_error& error) {
    throw DataError(str(place_of(error), error.description()));
  }
  return lines;
}

std::string toml_string(const std::string& text) {
  try {
    std::string quoted = nlohmann::json(text).dump();  // JSON's escapes are valid in TOML, which also needs one for DEL
    for (size_t at = 0; (at = quoted.find('\x7f', at)) != std::string::npos;) quoted.replace(at, 1, "\\u007f");
    return quoted;
  } catch (const nlohmann::json::exception&) {
    throw UsageError(str("'", text, "' is not UTF-8, which a TOML file cannot hold: rename it, or link to it"));
  }
}

}  // namespace avs
