#include "apps/cli/flags.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <optional>

#include "tensor/error.h"

namespace avs {

Flag& Flag::required(bool yes) {
  option_.required(yes);
  return *this;
}

Flag& Flag::shows_default() {
  option_.capture_default_str();
  return *this;
}

Flag& Flag::shows_default(const std::string& text) {
  option_.default_str(text);
  return *this;
}

Flag& Flag::one_of(std::vector<std::string> values) {
  option_.check(CLI::IsMember(std::move(values)));
  return *this;
}

template <typename T>
Flag& Flag::within(T low, T high) {
  option_.check(CLI::Range(low, high));
  return *this;
}
template Flag& Flag::within(int, int);
template Flag& Flag::within(double, double);

Flag& Flag::positive() {
  option_.check(CLI::PositiveNumber);
  return *this;
}

Flag& Flag::checked_by(std::function<std::string(const std::string&)> problem, const std::string& accepted) {
  option_.check(CLI::Validator(std::move(problem), accepted));
  return *this;
}

Flag& Flag::joined_by_commas() {
  option_.delimiter(',');
  return *this;
}

Flag& Flag::takes_units() {
  option_.transform(CLI::AsSizeValue(false));
  return *this;
}

Flag& Flag::last_counts() {
  option_.take_last();
  return *this;
}

Flag& Flag::value_name(const std::string& name) {
  option_.type_name(name);
  return *this;
}

Flags::Flags(const std::string& description, const std::string& program)
    : app_(std::make_unique<CLI::App>(description, program)) {}
Flags::~Flags() = default;

template <typename T>
Flag Flags::add(const std::string& name, T& variable, const std::string& help) {
  if constexpr (std::is_same_v<T, bool>)
    return Flag(*app_->add_flag(name, variable, help));
  else
    return Flag(*app_->add_option(name, variable, help));
}
template Flag Flags::add(const std::string&, bool&, const std::string&);
template Flag Flags::add(const std::string&, int&, const std::string&);
template Flag Flags::add(const std::string&, int64_t&, const std::string&);
template Flag Flags::add(const std::string&, uint64_t&, const std::string&);
template Flag Flags::add(const std::string&, float&, const std::string&);
template Flag Flags::add(const std::string&, double&, const std::string&);
template Flag Flags::add(const std::string&, std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::filesystem::path&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<int64_t>&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<double>&, const std::string&);
template Flag Flags::add(const std::string&, std::vector<int64_t>&, const std::string&);
template Flag Flags::add(const std::string&, std::vector<std::string>&, const std::string&);

Flag Flags::flag(const std::string& name) const { return Flag(*app_->get_option(name)); }
bool Flags::given(const std::string& name) const { return app_->get_option(name)->count() > 0; }

void Flags::read_toml(const std::string& file) {
  app_->set_config("--config", file, "", true);
  try {
    std::vector<std::string> nothing;
    app_->parse(nothing);
  } catch (const CLI::ParseError& error) {
    throw DataError(str(file, ": ", error.what()));
  }
}

}  // namespace avs
