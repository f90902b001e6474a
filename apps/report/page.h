// Self-contained HTML pages: styles, pictures and charts are inline, no script, nothing is fetched. They follow the
// light or dark setting and are fit for print and screen readers: headings in order, tables with headers, pictures with
// texts.
//
//   Page page("aud-mel", "a training run");
//   page.section("Configuration", preformatted(toml));
//   write_text(file, page.html());
//
// Functions that return HTML escape their text arguments; arguments named `html` are inserted unchanged.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace avs::report {

std::string escape(std::string_view text);  // & < > " ' become entities, control characters U+FFFD
std::string base64(std::span<const uint8_t> bytes);

class Page {
 public:
  Page(std::string_view title, std::string_view subtitle);
  void section(std::string_view heading, const std::string& html);
  std::string html() const;

 private:
  std::string title_, subtitle_;
  std::vector<std::string> sections_;
};

std::string paragraph(std::string_view text);
std::string preformatted(std::string_view text);
std::string note(std::string_view text);  // small and grey: explains a figure or its measurement

std::string side_by_side(const std::vector<std::string>& html);  // stacked if the window is narrow

// A page's main numbers, in large type.
struct KeyFigure {
  std::string value, label;
};
std::string key_figures(const std::vector<KeyFigure>& figures);

// A JPEG. pixels: u8 [h, w, 3] or [h, w, 1]. style: a class of style.h; alt: description for screen readers.
std::string picture(const Tensor& pixels, std::string_view style, std::string_view alt);

// Cells contain HTML; the first column holds row headers.
struct TableColumn {
  std::string heading;
  enum class Align : uint8_t { Text, Number } align = Align::Number;
};
std::string table(std::string_view caption, const std::vector<TableColumn>& columns,
                  const std::vector<std::vector<std::string>>& rows);

std::string percent(double share, int digits = 1);  // "93.8 %"
std::string fixed(double value, int digits);

}  // namespace avs::report
