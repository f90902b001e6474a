// Text from outside made safe to show: names of files and classes, metadata, messages of libraries. What a terminal
// would obey, and what would break a line or a column, is written as an escape: \n, \t, \u001b, \u202e, and \xff for a
// byte that is not UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace avs {

// One line, such as a name in a table. Escaped are control characters (C0, DEL, C1), line and paragraph separators, the
// marks that turn the direction of writing, and bytes that are not UTF-8.
std::string printable(std::string_view text);

// The same of several lines: line ends and tabs stay.
std::string printable_lines(std::string_view text);

// An error or a log line for people: printable_lines() without the condition and the place in the source that AVS_CHECK
// adds, each line cut in its middle to kLongestLine bytes, the second and later ones indented.
inline constexpr size_t kLongestLine = 1000;
std::string message_for_people(std::string_view message);

std::string shortened(const std::string& text, size_t most_bytes);  // cut in the middle: "begin … end"

int64_t columns_of(std::string_view text);                          // on a terminal, as fmt counts them
std::string first_columns(std::string_view text, int64_t columns);  // never ends within a character

bool is_utf8(const std::string& text);

}  // namespace avs
