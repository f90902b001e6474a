#include "apps/report/page.h"

#include <fmt/format.h>

#include "apps/report/style.h"
#include "tensor/require.h"
#include "vision/image.h"

namespace avs::report {

std::string escape(std::string_view text) {
  std::string out;
  for (const char ch : text) switch (ch) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      case '\n':
      case '\t': out += ch; break;
      default: static_cast<uint8_t>(ch) < 0x20 || ch == 0x7f ? out += "\xEF\xBF\xBD" : out += ch;
    }
  return out;
}

std::string base64(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < count ? bytes[i + k] : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= count ? kDigits[group >> (18 - 6 * k) & 63u] : '=';
  }
  return out;
}

Page::Page(std::string_view title, std::string_view subtitle) : title_(escape(title)), subtitle_(escape(subtitle)) {}

void Page::section(std::string_view heading, const std::string& html) {
  sections_.push_back(str("<section>\n<h2>", escape(heading), "</h2>\n", html, "\n</section>\n"));
}

std::string Page::html() const {
  std::string out = str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", title_,
                        "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<header>\n<h1>", title_, "</h1>\n<p>",
                        subtitle_, "</p>\n</header>\n<main>\n");
  for (const std::string& section : sections_) out += section;
  return out + "</main>\n<footer>Written by avscene.</footer>\n</body>\n</html>\n";
}

std::string paragraph(std::string_view text) { return str("<p>", escape(text), "</p>\n"); }
std::string preformatted(std::string_view text) { return str("<pre tabindex=\"0\">", escape(text), "</pre>\n"); }
std::string note(std::string_view text) { return str("<p class=\"note\">", escape(text), "</p>\n"); }

std::string side_by_side(const std::vector<std::string>& html) {
  std::string out = "<div class=\"pair\">\n";
  for (const std::string& part : html) out += "<div>" + part + "</div>\n";
  return out + "</div>\n";
}

std::string key_figures(const std::vector<KeyFigure>& figures) {
  std::string out = "<ul class=\"figures\">\n";
  for (const KeyFigure& figure : figures)
    out += str("<li><b>", escape(figure.value), "</b> <span>", escape(figure.label), "</span></li>\n");
  return out + "</ul>\n";
}

std::string picture(const Tensor& pixels, std::string_view style, std::string_view alt) {
  return str("<img class=\"", style, "\" src=\"data:image/jpeg;base64,", base64(encode_jpeg(pixels)), "\" width=\"",
             pixels.shape()[1], "\" height=\"", pixels.shape()[0], "\" alt=\"", escape(alt), "\">");
}

std::string table(std::string_view caption, const std::vector<TableColumn>& columns,
                  const std::vector<std::vector<std::string>>& rows) {
  const auto open = [&](std::string_view tag, size_t column, std::string_view scope) {
    const bool number = columns[column].align == TableColumn::Align::Number;
    return str("<", tag, number ? " class=\"n\"" : "", scope.empty() ? "" : str(" scope=\"", scope, "\""), ">");
  };
  std::string out = "<table>\n";
  if (!caption.empty()) out += str("<caption>", escape(caption), "</caption>\n");
  out += "<thead><tr>";
  for (size_t i = 0; i < columns.size(); ++i) out += str(open("th", i, "col"), escape(columns[i].heading), "</th>");
  out += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    require<UsageError>(row.size() == columns.size(), "table: ", row.size(), " cells in ", columns.size(), " columns");
    out += str("<tr>", open("th", 0, "row"), row[0], "</th>");
    for (size_t i = 1; i < row.size(); ++i) out += str(open("td", i, ""), row[i], "</td>");
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

std::string percent(double share, int digits) { return fmt::format("{:.{}f} %", 100 * share, digits); }
std::string fixed(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

}  // namespace avs::report
