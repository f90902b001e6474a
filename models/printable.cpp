#include "models/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/error.h"

namespace avs {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: not UTF-8
};

Character character_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) -> uint32_t { return static_cast<uint8_t>(text[at + i]); };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + bytes > text.size()) return {};
  uint32_t code = first & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0u) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < kSmallest[bytes] || code > 0x10ffff || surrogate ? Character{} : Character{code, bytes};
}

bool is_obeyed(uint32_t code) {
  const auto within = [code](uint32_t low, uint32_t high) { return code >= low && code <= high; };
  return code < 0x20 || within(0x7f, 0x9f) || code == 0x61c || within(0x200e, 0x200f) || within(0x2028, 0x202e) ||
         within(0x2066, 0x2069) || code == 0xfeff;
}

// The code points that fmt counts as two columns.
bool is_wide(uint32_t code) {
  return code >= 0x1100 &&
         (code <= 0x115f || code == 0x2329 || code == 0x232a || (code >= 0x2e80 && code <= 0xa4cf && code != 0x303f) ||
          (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
          (code >= 0xfe10 && code <= 0xfe19) || (code >= 0xfe30 && code <= 0xfe6f) ||
          (code >= 0xff00 && code <= 0xff60) || (code >= 0xffe0 && code <= 0xffe6) ||
          (code >= 0x20000 && code <= 0x3fffd) || (code >= 0x1f300 && code <= 0x1f64f) ||
          (code >= 0x1f900 && code <= 0x1f9ff));
}

std::string escape_of(uint32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  return fmt::format("\\u{:04x}", code);  // also valid in a JSON string
}

std::string escaped(std::string_view text, std::string_view kept) {
  std::string safe;
  safe.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    if (c.bytes == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<uint8_t>(text[i++]));
      continue;
    }
    if (is_obeyed(c.code) && (c.code > 0x7f || kept.find(static_cast<char>(c.code)) == std::string_view::npos))
      safe += escape_of(c.code);
    else
      safe += text.substr(i, c.bytes);
    i += c.bytes;
  }
  return safe;
}

// Removes a final " [o.width > 0, models/backbone.cpp:52]": from the bracket that matches the last one.
std::string_view without_place(std::string_view line) {
  const size_t colon = line.rfind(':');
  if (!line.ends_with(']') || colon == std::string_view::npos) return line;
  const std::string_view number = line.substr(colon + 1, line.size() - colon - 2);
  const bool is_place = !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos &&
                        (line.substr(0, colon).ends_with(".cpp") || line.substr(0, colon).ends_with(".h") ||
                         line.substr(0, colon).ends_with(".cu") || line.substr(0, colon).ends_with(".cuh"));
  if (!is_place) return line;
  int64_t open = 0;
  for (size_t i = line.size(); i-- > 0;) {
    open += line[i] == ']' ? 1 : line[i] == '[' ? -1 : 0;
    if (open == 0) return line.substr(0, i > 0 && line[i - 1] == ' ' ? i - 1 : i);
  }
  return line;
}

}  // namespace

std::string printable(std::string_view text) { return escaped(text, ""); }
std::string printable_lines(std::string_view text) { return escaped(text, "\n\t"); }

std::string message_for_people(std::string_view message) {
  std::string text;
  bool indented = true;  // are all later lines indented already?
  for (size_t i = message.find('\n'); i != std::string_view::npos; i = message.find('\n', i + 1))
    indented = indented && i + 1 < message.size() && (message[i + 1] == ' ' || message[i + 1] == '\n');
  for (size_t begin = 0; begin <= message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    if (begin > 0) text += indented ? "\n" : "\n    ";
    text += shortened(printable_lines(without_place(message.substr(begin, end - begin))), kMaxLine);
    begin = end + 1;
  }
  return text;
}

std::string shortened(const std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  const auto is_inside = [&](size_t i) { return i < text.size() && (static_cast<uint8_t>(text[i]) & 0xc0u) == 0x80; };
  size_t head = max_bytes * 2 / 3, tail = text.size() - max_bytes / 3;
  while (head > 0 && is_inside(head)) --head;
  while (is_inside(tail)) ++tail;
  return text.substr(0, head) + " … " + text.substr(tail);
}

std::string first_columns(std::string_view text, int64_t columns) {
  size_t end = 0;
  for (int64_t used = 0; end < text.size();) {
    const Character c = character_at(text, end);
    used += c.bytes > 0 && is_wide(c.code) ? 2 : 1;
    if (used > columns) break;
    end += std::max<size_t>(1, c.bytes);
  }
  return std::string(text.substr(0, end));
}

int64_t columns_of(std::string_view text) {
  int64_t columns = 0;
  for (size_t i = 0; i < text.size();) {
    const Character c = character_at(text, i);
    columns += c.bytes > 0 && is_wide(c.code) ? 2 : 1;
    i += std::max<size_t>(1, c.bytes);
  }
  return columns;
}

bool is_utf8(const std::string& name) {
  try {
    nlohmann::json(name).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string listed(const char* title, const std::vector<std::string>& items) {
  std::string text;
  if (!items.empty()) text = str("\n  ", title, " (", items.size(), "):");
  for (const std::string& item : items) text += "\n    " + item;
  return text;
}

}  // namespace avs
