// A program's flags: name, variable, accepted values. Hides CLI11, whose headers take many seconds to compile.
//
//   flags.add("--split", split, "train, val or test").one_of({"train", "val", "test"}).shows_default();
//   flags.add("--json", json, "as JSON");                        // a bool is a switch
//   flags.add("VIDEO", files, "files to classify").required();   // without dashes: by position
//
// Numbers must be decimal, finite and within their variable's type. Errors name the flag, the value and the expected
// values. Values are not split: [a,b] is one name, not two.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensor/no_copy.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace avs {

class Flag {
 public:
  explicit Flag(CLI::Option& option) : option_(option) {}

  Flag& required(bool yes = true);
  Flag& shows_default();  // show the variable's current value in --help
  Flag& shows_default(const std::string& text);
  Flag& one_of(std::vector<std::string> values);  // for a list: each item
  template <typename T>
  Flag& within(T low, T high);  // low <= value <= high; T: int or double
  Flag& positive();
  // problem() returns an error text, or "" for a valid value; `accepted` is for --help.
  Flag& checked_by(std::function<std::string(const std::string&)> problem, const std::string& accepted);
  Flag& joined_by_commas();                   // one argument holds a list: a,b,c
  Flag& takes_units();                        // 4GB, 512 MiB
  Flag& last_counts();                        // if repeated, the last value is used
  Flag& value_name(const std::string& name);  // "DIR": the value's name in --help

 private:
  CLI::Option& option_;
};

class Flags : NoCopy {
 public:
  explicit Flags(const std::string& description, const std::string& program = "");
  ~Flags();

  // T: bool, int, int64_t, uint64_t, float, double, std::string, std::filesystem::path, a vector of int64_t or
  // std::string, or an optional int64_t or double.
  template <typename T>
  Flag add(const std::string& name, T& variable, const std::string& help);
  Flag flag(const std::string& name) const;   // a flag that add() created
  bool given(const std::string& name) const;  // on the command line or in the --config file

  void parse(int argc, const char* const* argv);

  // Reads values from a TOML file, like --config. DataError names the file.
  void read_toml(const std::string& file);

  CLI::App& app() { return *app_; }  // for Program's own flags

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace avs
