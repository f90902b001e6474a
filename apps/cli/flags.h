// The flags of a program: what they are called, which variable they fill, what they accept. CLI11 reads the command
// line; its headers take many seconds to compile, and programs do without them.
//
//   flags.add("--split", split, "train, val or test").one_of({"train", "val", "test"}).shows_default();
//   flags.add("--json", json, "as JSON");                        // a bool is a switch
//   flags.add("VIDEO", files, "files to classify").required();   // without dashes: by position
//
// Numbers are decimal, finite and within their variable's type, whatever else a flag asks of them; a message names the
// flag, what was given and what was expected. A value is taken as it is typed: [a,b] is a name, not two.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace avs {

class Flag {
 public:
  explicit Flag(CLI::Option& option) : option_(option) {}

  Flag& required(bool yes = true);
  Flag& shows_default();  // what the variable holds now, in --help
  Flag& shows_default(const std::string& text);
  Flag& one_of(std::vector<std::string> values);  // each item, where it is a list
  template <typename T>
  Flag& within(T low, T high);  // both included; T: int or double
  Flag& positive();
  // problem() says what is wrong with a value, "" for nothing; `accepted` is for --help.
  Flag& checked_by(std::function<std::string(const std::string&)> problem, const std::string& accepted);
  Flag& joined_by_commas();                   // one argument holds a list: a,b,c
  Flag& takes_units();                        // 4GB, 512 MiB
  Flag& last_counts();                        // given twice, the later one wins
  Flag& value_name(const std::string& name);  // "DIR": what --help calls the value

 private:
  CLI::Option& option_;
};

class Flags {
 public:
  explicit Flags(const std::string& description, const std::string& program = "");
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // T: bool, int, int64_t, uint64_t, float, double, std::string, std::filesystem::path, a vector of int64_t or
  // std::string, or an optional int64_t or double.
  template <typename T>
  Flag add(const std::string& name, T& variable, const std::string& help);
  Flag flag(const std::string& name) const;   // one that add() has made
  bool given(const std::string& name) const;  // on the command line or in the file of --config

  void parse(int argc, const char* const* argv);

  // Values from a TOML file, as if --config had named it; DataError naming the file when it cannot be read so.
  void read_toml(const std::string& file);

  CLI::App& app() { return *app_; }  // for Program, which adds its own

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace avs
