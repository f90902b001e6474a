// Makes text from outside safe to show: names of files and classes, metadata, messages of libraries. Terminal control
// characters, and characters that break a line or a column, become escapes: \n, \t, \u001b, \u202e, and \xff for a byte
// that is not UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace avs {

// For one line, such as a name in a table. Escapes control characters (C0, DEL, C1), line and paragraph separators,
// marks that change the writing direction, and bytes that are not UTF-8.
std::string printable(std::string_view text);

// For several lines: keeps line ends and tabs.
std::string printable_lines(std::string_view text);

// Formats an error or a log line: printable_lines() without AVS_CHECK's condition and source position; each line is cut
// in its middle to kMaxLine bytes; continuation lines are indented.
inline constexpr size_t kMaxLine = 1000;
std::string message_for_people(std::string_view message);

std::string shortened(const std::string& text, size_t max_bytes);  // cut in the middle: "begin … end"

int64_t columns_of(std::string_view text);                          // width on a terminal, as fmt counts it
std::string first_columns(std::string_view text, int64_t columns);  // never cuts a character

bool is_utf8(const std::string& text);

std::string joined(const std::vector<std::string>& items);                     // "a, b, c"
std::string listed(const char* title, const std::vector<std::string>& items);  // a line each below "title (3):"; or ""

}  // namespace avs
