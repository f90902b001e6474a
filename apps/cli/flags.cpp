#include "apps/cli/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <optional>

#include "apps/cli/config_file.h"
#include "models/file.h"
#include "tensor/error.h"

namespace avs {
namespace {

std::string got(const std::string& text, const std::string& expected) {
  return str("got '", text, "', expected ", expected);
}

// Parses the whole text as a decimal number; nullopt if it is none, out of T's range, or not finite.
template <typename T>
std::optional<T> number_in(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>)
    if (!std::isfinite(value)) return std::nullopt;
  return value;
}

// Replaces CLI11's conversion, which wraps negative or too large numbers and reads 010 as octal.
template <typename T>
std::string normalise_number(std::string& text) {
  const std::optional<T> value = number_in<T>(text);
  if constexpr (std::is_floating_point_v<T>) {
    return value ? std::string() : got(text, "a finite number");
  } else {
    if (!value)
      return got(text,
                 str("a whole number from ", std::numeric_limits<T>::min(), " to ", std::numeric_limits<T>::max()));
    text = str(*value);
    return {};
  }
}

// Parses "4GB", "512 MiB", "1000" to bytes; units are powers of 1024.
std::string normalise_size(std::string& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string unit = text.substr(std::min(text.find_first_not_of(' ', digits), text.size()));
  for (char& letter : unit) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (unit.empty()) unit = "b";
  const size_t power = std::string_view("bkmgtpe").find(unit[0]);  // power of 1024
  const std::string rest = unit.substr(1);
  const bool known =
      rest.empty() ? power <= 6 : power >= 1 && power <= 6 && (rest == "b" || rest == "i" || rest == "ib");
  const std::optional<uint64_t> count = number_in<uint64_t>(text.substr(0, digits));
  if (!known || !count || *count > std::numeric_limits<uint64_t>::max() >> (10 * power))
    return got(text, "bytes, such as 500000000, 512MiB or 4GB, and less than 16 EB");
  text = str(*count << (10 * power));
  return {};
}

// CLI11 splits "[a,b]" into a list if a flag may be repeated; this prefix prevents it.
constexpr char kWhole = '\x1f';

void mark_whole(std::string& value, size_t at = 0) {
  if (value.size() > at && value[at] == '[' && value.back() == ']') value.insert(at, 1, kWhole);
}

std::string unmark_whole(std::string& value) {
  if (value.size() > 1 && value[0] == kWhole && value[1] == '[') value.erase(0, 1);
  return {};
}

// Validates a single value by the variable's element type.
template <typename T>
struct Reading {
  static std::string read(std::string& text) {
    if constexpr (std::is_arithmetic_v<T>)
      return normalise_number<T>(text);
    else
      return unmark_whole(text);
  }
};
template <typename T>
struct Reading<std::optional<T>> : Reading<T> {};
template <typename T>
struct Reading<std::vector<T>> : Reading<T> {};

class ConfigReader final : public CLI::Config {
 public:
  explicit ConfigReader(const CLI::App& app) : app_(app) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& in) const override {
    std::string text;
    constexpr size_t kMaxBytes = 1 << 20;
    try {
      for (std::istreambuf_iterator<char> at(in), end; at != end && text.size() <= kMaxBytes; ++at) text += *at;
    } catch (const std::ios_base::failure&) {
      throw CLI::ConfigError("cannot be read");
    }
    if (text.size() > kMaxBytes) throw CLI::ConfigError(str("longer than ", kMaxBytes, " bytes: no file of flags"));
    std::vector<CLI::ConfigItem> found;
    try {
      for (ConfigLine& line : read_config(text)) {
        if (app_.get_option_no_throw("--" + line.name) == nullptr)
          throw CLI::ConfigError(str("there is no flag --", line.name));
        CLI::ConfigItem& item = found.emplace_back();
        item.name = std::move(line.name);
        item.inputs = std::move(line.values);
        for (std::string& value : item.inputs) mark_whole(value);
      }
    } catch (const DataError& error) {
      throw CLI::ConfigError(error.what());
    }
    return found;
  }

 private:
  const CLI::App& app_;
};

}  // namespace

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
  return checked_by(
      [low, high](const std::string& text) {
        const std::optional<double> value = number_in<double>(text);
        const bool is_within = value && *value >= static_cast<double>(low) && *value <= static_cast<double>(high);
        return is_within ? std::string() : got(text, str("a number from ", low, " to ", high));
      },
      str(low, " to ", high));
}
template Flag& Flag::within(int, int);
template Flag& Flag::within(double, double);

Flag& Flag::positive() {
  return checked_by(
      [](const std::string& text) {
        return number_in<double>(text).value_or(0) > 0 ? std::string() : got(text, "a number above 0");
      },
      "above 0");
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
  option_.transform(CLI::Validator(normalise_size, "bytes, or 4GB"));
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

// CLI11 takes a file whose opening a signal interrupted for a missing one.
static void parse_and_reopen(CLI::App& app, const std::vector<std::string>& words) {
  for (int attempts = 3;; --attempts) try {
      std::vector<std::string> consumed = words;
      return app.parse(consumed);
    } catch (const CLI::FileError&) {
      if (attempts == 1 || !why_no_file(app.get_config_ptr()->as<std::string>()).empty()) throw;
    }
}

Flags::Flags(const std::string& description, const std::string& program)
    : app_(std::make_unique<CLI::App>(description, program)) {
  app_->config_formatter(std::make_shared<ConfigReader>(*app_));
}
Flags::~Flags() = default;

template <typename T>
Flag Flags::add(const std::string& name, T& variable, const std::string& help) {
  if constexpr (std::is_same_v<T, bool>) {
    return Flag(*app_->add_flag(name, variable, help));
  } else {
    CLI::Option& option = *app_->add_option(name, variable, help);
    option.transform(CLI::Validator(Reading<T>::read, ""));
    return Flag(option);
  }
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

void Flags::parse(int argc, const char* const* argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  for (std::string& word : words) mark_whole(word, word.starts_with("--") ? word.find('=') + 1 : 0);
  std::ranges::reverse(words);  // CLI11 pops arguments from the back
  try {
    parse_and_reopen(*app_, words);
  } catch (const CLI::ConfigError& error) {
    throw UsageError(str(app_->get_config_ptr()->as<std::string>(), ": ", error.what()));
  }
}

void Flags::read_toml(const std::string& file) {
  if (const std::string reason = why_no_file(file); !reason.empty()) throw DataError(str(file, ": ", reason));
  app_->set_config("--config", file, "", true);
  try {
    parse_and_reopen(*app_, {});
  } catch (const CLI::ParseError& error) {
    throw DataError(str(file, ": ", error.what()));
  }
}

}  // namespace avs
