// HTML pages that are one file: style, pictures and charts inside, no script, nothing fetched. They follow the reader's
// light or dark setting, print well and read well aloud: headings in order, tables with headers, a text for every
// picture.
//
//   Page page("aud-mel", "a training run");
//   page.section("Configuration", preformatted(toml));
//   write_text(file, page.html());
//
// Functions that return HTML escape the text they are given; what is called `html` below is trusted as it is.
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
std::string note(std::string_view text);  // small and grey: what a figure means, how it was measured

std::string side_by_side(const std::vector<std::string>& html);  // below each other where the window is narrow

// The few numbers a reader wants first, large.
struct KeyFigure {
  std::string value, label;
};
std::string key_figures(const std::vector<KeyFigure>& figures);

enum class PictureFormat : uint8_t { Jpeg, Png };
// pixels: u8 [h, w, 3] or [h, w, 1]. alt: what it shows, for who cannot see it.
std::string picture(const Tensor& pixels, PictureFormat format, std::string_view alt);

// Cells are HTML already; the first column is each row's header.
struct TableColumn {
  std::string heading;
  enum class Align : uint8_t { Text, Number } align = Align::Number;
};
std::string table(std::string_view caption, const std::vector<TableColumn>& columns,
                  const std::vector<std::vector<std::string>>& rows);

std::string percent(double share, int digits = 1);  // "93.8 %"
std::string fixed(double value, int digits);

}  // namespace avs::report
