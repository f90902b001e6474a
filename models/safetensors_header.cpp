#include "models/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tensor/error.h"
#include "tensor/shape.h"

namespace avs {
namespace {

using Json = nlohmann::json;

struct Type {
  std::string_view name;
  uint64_t bytes;
  bool is_read;
};
constexpr Type kTypes[] = {{"F32", 4, true},  {"F16", 2, true},      {"BF16", 2, true},     {"I32", 4, true},
                           {"U8", 1, true},   {"I64", 8, true},      {"F64", 8, true},      {"BOOL", 1, false},
                           {"I8", 1, false},  {"I16", 2, false},     {"U16", 2, false},     {"U32", 4, false},
                           {"U64", 8, false}, {"F8_E4M3", 1, false}, {"F8_E5M2", 1, false}, {"C64", 8, false}};

// Iterates over the header for the JSON parser and counts the bytes read, so that errors can name the byte.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *furthest_ = std::max(*furthest_, ++at_);
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** furthest_;
};

// Handles the JSON parser's events; depth and last key are all the state that the grammar needs.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(std::string_view text, std::string file, uint64_t file_bytes, OtherTensors others)
      : begin_(text.data()),
        furthest_(text.data()),
        data_begin_(8 + text.size()),
        file_(std::move(file)),
        file_bytes_(file_bytes),
        others_(others) {
    Json::sax_parse(CountingIterator(begin_, &furthest_), CountingIterator(begin_ + text.size(), &furthest_), this);
    check_coverage();
  }
  Header take() { return std::move(header_); }

  bool null() override {
    if (depth_ != 1 || !in_metadata()) refuse("null");  // some writers use it for empty metadata
    return true;
  }
  bool boolean(bool) override { refuse("a truth value"); }
  bool number_integer(number_integer_t value) override {
    if (value < 0) fail("the number ", value, " is negative");
    return number_unsigned(static_cast<number_unsigned_t>(value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (list_ == nullptr) refuse("a number");
    list_->push_back(value);
    if (list_->size() > 64) fail("'", field_, "' of '", key_, "' has more than 64 entries");
    return true;
  }
  bool number_float(number_float_t, const string_t& text) override {
    fail("the number ", text, " is not a whole number");
  }
  bool binary(binary_t&) override { refuse("binary data"); }
  bool string(string_t& value) override {
    if (depth_ == 2 && in_metadata())
      header_.metadata[field_] = value;
    else if (depth_ == 2 && field_ == "dtype")
      dtype_ = value;
    else
      refuse("text");
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ >= 2 || list_ != nullptr) refuse("an object");
    ++depth_;
    if (depth_ == 2) dtype_.reset(), shape_.reset(), offsets_.reset(), fields_.clear();
    return true;
  }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      if (!keys_.emplace(name, true).second) fail("'", name, "' occurs twice");
      key_ = name;
    } else {
      if (!fields_.emplace(name, true).second) fail("'", name, "' occurs twice in '", key_, "'");
      if (fields_.size() > kMaxHeaderTensors) fail("'", key_, "' has more than ", kMaxHeaderTensors, " entries");
      field_ = name;
    }
    return true;
  }
  bool end_object() override {
    if (depth_-- == 2 && !in_metadata()) finish_tensor();
    return true;
  }
  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata() || list_ != nullptr || (field_ != "shape" && field_ != "data_offsets"))
      refuse("a list");
    list_ = &(field_ == "shape" ? shape_ : offsets_).emplace();
    return true;
  }
  bool end_array() override {
    list_ = nullptr;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    throw DataError(
        str(file_, ": at byte ", 8 + (position > 0 ? position - 1 : 0), ": the header is not JSON: ", error.what()));
  }

 private:
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw DataError(str(file_, ": at byte ", 8 + (furthest_ - begin_), ": ", parts...));
  }
  [[noreturn]] void refuse(const char* what) const {
    if (depth_ == 0) fail("the header is ", what, ", not an object");
    fail(what, " does not belong in '", key_, "'", depth_ == 2 ? str(" as '", field_, "'") : "");
  }
  bool in_metadata() const { return key_ == "__metadata__"; }

  void finish_tensor() {
    if (!dtype_ || !shape_ || !offsets_)
      fail("tensor '", key_, "' lacks ", !dtype_ ? "dtype" : !shape_ ? "shape" : "data_offsets");
    const Type* const type = std::ranges::find(kTypes, *dtype_, &Type::name);
    const bool known = type != std::end(kTypes);
    if (others_ == OtherTensors::Refused && (!known || !type->is_read))
      fail("tensor '", key_, "' has the type ", *dtype_, "; F32, F16, BF16, I32, U8, I64 and F64 are read");
    if (others_ == OtherTensors::Refused && shape_->size() > static_cast<size_t>(Shape::kMaxRank))
      fail("tensor '", key_, "' has ", shape_->size(), " axes, at most ", Shape::kMaxRank, " are read");
    if (header_.tensors.size() == kMaxHeaderTensors)
      fail("there are more than ", kMaxHeaderTensors, " tensors, which no network has");
    const std::optional<uint64_t> bytes = bytes_of(known ? type->bytes : 1);
    if (!bytes) fail("the shape of tensor '", key_, "' overflows");
    if (offsets_->size() != 2) fail("tensor '", key_, "' has ", offsets_->size(), " data_offsets, not 2");
    const uint64_t first = offsets_->at(0), last = offsets_->at(1);
    if (first > last) fail("tensor '", key_, "' begins at offset ", first, " and ends at ", last);
    if (last > file_bytes_ - data_begin_)
      fail("tensor '", key_, "' ends at byte ", last, " of the data, which has ", file_bytes_ - data_begin_,
           " bytes: the file is cut short or damaged");
    if (known && last - first != *bytes)
      fail("tensor '", key_, "' has ", last - first, " bytes, its type and shape make ", *bytes);
    header_.tensors[key_] = {*dtype_, {shape_->begin(), shape_->end()}, data_begin_ + first, data_begin_ + last};
  }

  std::optional<uint64_t> bytes_of(uint64_t element) const {
    uint64_t bytes = element;
    for (const uint64_t extent : *shape_)
      if (extent > (uint64_t{1} << 62) || __builtin_mul_overflow(bytes, extent, &bytes)) return std::nullopt;
    return bytes;
  }

  void check_coverage() const {
    std::vector<std::pair<const std::string*, const HeaderEntry*>> order;
    for (const auto& [name, entry] : header_.tensors) order.emplace_back(&name, &entry);
    std::ranges::sort(order, {},
                      [](const auto& item) { return std::pair(item.second->first_byte, item.second->last_byte); });
    uint64_t end = data_begin_;
    for (const auto& [name, entry] : order) {
      const char* const what = entry->first_byte < end ? ": overlaps the tensor before it" : ": a hole lies before it";
      if (entry->first_byte != end)
        throw DataError(
            str(file_, ": at byte ", entry->first_byte, ": tensor '", *name, "'", what, ", which ends at byte ", end));
      end = entry->last_byte;
    }
    if (end != file_bytes_)
      throw DataError(
          str(file_, ": at byte ", end, ": the last tensor ends here, but the file has ", file_bytes_, " bytes"));
  }

  const char *begin_, *furthest_;
  uint64_t data_begin_;
  std::string file_;
  uint64_t file_bytes_;
  OtherTensors others_;
  Header header_;

  int depth_ = 0;
  std::string key_, field_;
  std::map<std::string, bool> keys_, fields_;
  std::optional<std::string> dtype_;
  std::optional<std::vector<uint64_t>> shape_, offsets_;
  std::vector<uint64_t>* list_ = nullptr;
};

}  // namespace

Header parse_header(std::string_view text, const std::string& file, uint64_t file_bytes, OtherTensors others) {
  return HeaderReader(text, file, file_bytes, others).take();
}

std::string_view header_name_of(DType dtype) {
  switch (dtype) {
    case DType::F32: return "F32";
    case DType::F16: return "F16";
    case DType::BF16: return "BF16";
    case DType::I32: return "I32";
    case DType::U8: return "U8";
  }
  return "?";
}

DType dtype_of_header(std::string_view header_name) {
  for (const DType dtype : {DType::F32, DType::F16, DType::BF16, DType::I32, DType::U8})
    if (header_name_of(dtype) == header_name) return dtype;
  throw DataError(str("the type ", header_name, " is not stored as it is"));
}

}  // namespace avs
