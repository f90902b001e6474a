#include "models/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
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

constexpr const char* kMetadata = "__metadata__";

class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string file, uint64_t file_bytes, OtherTensors others)
      : data_begin_(8 + text.size()), file_(std::move(file)), file_bytes_(file_bytes), others_(others) {
    const auto read = [this](int depth, Event event, Json& value) { return read_event(depth, event, value); };
    try {
      [[maybe_unused]] const Json rest = Json::parse(text.begin(), text.end(), read);
    } catch (const Json::parse_error& error) {
      fail("at byte ", 8 + (error.byte > 0 ? error.byte - 1 : 0), ": the header is not JSON: ", error.what());
    } catch (const Json::exception& error) {
      fail("the header is not JSON: ", error.what());
    }
    check_coverage();
  }
  Header take() { return std::move(header_); }

 private:
  using Event = Json::parse_event_t;

  // Refuses what is no header while it is parsed: of a hostile one, no more than a tensor's entry is in memory.
  bool read_event(int depth, Event event, const Json& value) {
    switch (event) {
      case Event::key: add_key(depth, value); break;
      case Event::object_start:
        if (depth > 1) refuse(depth, "an object");
        break;
      case Event::array_start:
        if (depth != 2 || key_ == kMetadata) refuse(depth, "a list");
        list_size_ = 0;
        break;
      case Event::value:
        if (depth < 2 && !(key_ == kMetadata && value.is_null())) refuse(depth, kind_of(value));  // null: no metadata
        if (depth == 3 && ++list_size_ > 64) fail("'", field_, "' of '", key_, "' has more than 64 entries");
        break;
      case Event::object_end:
        if (depth == 1) key_ == kMetadata ? read_metadata(value) : read_tensor(value);
        return depth != 1;  // an entry that was read is forgotten
      case Event::array_end: break;
    }
    return true;
  }

  void add_key(int depth, const std::string& name) {
    if (depth == 1) {
      if (!keys_.insert(name).second) fail("'", name, "' occurs twice");
      key_ = name;
      fields_.clear();
    } else {
      if (!fields_.insert(name).second) fail("'", name, "' occurs twice in '", key_, "'");
      if (fields_.size() > kMaxHeaderTensors) fail("'", key_, "' has more than ", kMaxHeaderTensors, " entries");
      field_ = name;
    }
  }

  static const char* kind_of(const Json& value) {
    return value.is_string() ? "text" : value.is_number() ? "a number" : value.is_null() ? "null" : "a truth value";
  }
  template <typename... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw DataError(str(file_, ": ", parts...));
  }
  [[noreturn]] void refuse(int depth, const char* what) const {
    if (depth == 0) fail("the header is ", what, ", not an object");
    fail(what, " does not belong in '", key_, "'", depth > 1 ? str(" as '", field_, "'") : "");
  }

  void read_metadata(const Json& entry) {
    for (const auto& [name, value] : entry.items()) {
      if (!value.is_string()) field_ = name, refuse(2, kind_of(value));
      header_.metadata[name] = value;
    }
  }

  std::vector<uint64_t> numbers(const Json& list) const {
    if (!list.is_array()) refuse(2, kind_of(list));
    std::vector<uint64_t> values;
    for (const Json& value : list) {
      if (!value.is_number()) refuse(3, kind_of(value));
      if (value.is_number_float()) fail("the number ", value.dump(), " in '", key_, "' is not a whole number");
      if (!value.is_number_unsigned()) fail("the number ", value.dump(), " is negative, in '", key_, "'");
      values.push_back(value);
    }
    return values;
  }

  void read_tensor(const Json& entry) {
    for (const auto& [name, value] : entry.items()) {
      field_ = name;
      const bool fits = name == "dtype" ? value.is_string() : name == "shape" || name == "data_offsets";
      if (!fits) refuse(2, value.is_array() ? "a list" : kind_of(value));
    }
    for (const char* field : {"dtype", "shape", "data_offsets"})
      if (!entry.contains(field)) fail("tensor '", key_, "' lacks ", field);
    const std::string dtype = entry["dtype"];
    const std::vector<uint64_t> shape = numbers(entry["shape"]), offsets = numbers(entry["data_offsets"]);
    const Type* const type = std::ranges::find(kTypes, dtype, &Type::name);
    const bool known = type != std::end(kTypes);
    if (others_ == OtherTensors::Refused && (!known || !type->is_read))
      fail("tensor '", key_, "' has the type ", dtype, "; F32, F16, BF16, I32, U8, I64 and F64 are read");
    if (others_ == OtherTensors::Refused && shape.size() > static_cast<size_t>(Shape::kMaxRank))
      fail("tensor '", key_, "' has ", shape.size(), " axes, at most ", Shape::kMaxRank, " are read");
    if (header_.tensors.size() == kMaxHeaderTensors)
      fail("there are more than ", kMaxHeaderTensors, " tensors, which no network has");
    uint64_t bytes = known ? type->bytes : 1;
    for (const uint64_t extent : shape)
      if (extent > (uint64_t{1} << 62) || __builtin_mul_overflow(bytes, extent, &bytes))
        fail("the shape of tensor '", key_, "' overflows");
    if (offsets.size() != 2) fail("tensor '", key_, "' has ", offsets.size(), " data_offsets, not 2");
    const uint64_t first = offsets[0], last = offsets[1];
    if (first > last) fail("tensor '", key_, "' begins at offset ", first, " and ends at ", last);
    if (last > file_bytes_ - data_begin_)
      fail("tensor '", key_, "' ends at byte ", last, " of the data, which has ", file_bytes_ - data_begin_,
           " bytes: the file is cut short or damaged");
    if (known && last - first != bytes)
      fail("tensor '", key_, "' has ", last - first, " bytes, its type and shape make ", bytes);
    header_.tensors[key_] = {dtype, {shape.begin(), shape.end()}, data_begin_ + first, data_begin_ + last};
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
        fail("at byte ", entry->first_byte, ": tensor '", *name, "'", what, ", which ends at byte ", end);
      end = entry->last_byte;
    }
    if (end != file_bytes_)
      fail("at byte ", end, ": the last tensor ends here, but the file has ", file_bytes_, " bytes");
  }

  uint64_t data_begin_;
  std::string file_;
  uint64_t file_bytes_;
  OtherTensors others_;
  Header header_;
  std::string key_, field_;              // being read
  std::set<std::string> keys_, fields_;  // seen; fields_ in key_
  size_t list_size_ = 0;
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
