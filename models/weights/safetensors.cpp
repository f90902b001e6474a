// safetensors of any library: lists every tensor, reads on demand.
#include <optional>

#include "models/safetensors_header.h"
#include "models/weights/source.h"

namespace avs::weights {
namespace {

constexpr uint64_t kTensorBytes = 512;  // approximate memory of a listed tensor

std::optional<NumberType> number_type_of(std::string_view dtype) {
  static constexpr std::pair<std::string_view, NumberType> kTypes[] = {
      {"F32", NumberType::F32}, {"F16", NumberType::F16},  {"BF16", NumberType::BF16}, {"F64", NumberType::F64},
      {"I64", NumberType::I64}, {"I32", NumberType::I32},  {"I16", NumberType::I16},   {"I8", NumberType::I8},
      {"U8", NumberType::U8},   {"BOOL", NumberType::Bool}};
  for (const auto& [name, type] : kTypes)
    if (name == dtype) return type;
  return std::nullopt;
}

std::vector<float> read_entry(const Bytes& file, const HeaderEntry& entry, const std::string& what) {
  const std::optional<NumberType> type = number_type_of(entry.dtype);
  if (!type) throw DataError(str(file.name(), ": ", what, " has the type ", entry.dtype, ", which no weight has"));
  const auto bytes = file.at(entry.first_byte, entry.last_byte - entry.first_byte, what);
  return to_floats(bytes.data(), bytes.size() / size_of(*type), *type);
}

}  // namespace

WeightSource read_safetensors(const Bytes& file) {
  Cursor cursor(file.at(0, file.size(), "the file"), file, "the file");
  const uint64_t header_bytes = cursor.u64();
  if (header_bytes > kMaxHeaderBytes)
    throw DataError(str(file.name(), ": the header is said to have ", header_bytes, " bytes, the format allows ",
                        kMaxHeaderBytes, "; this is not a safetensors file"));
  if (header_bytes > cursor.left())
    throw DataError(str(file.name(), ": truncated: its header should have ", header_bytes,
                        " bytes and the file ends after ", file.size()));
  const auto text = cursor.take(header_bytes);
  Header header = parse_header({reinterpret_cast<const char*>(text.data()), text.size()}, file.name(), file.size(),
                               OtherTensors::Listed);
  WeightSource source{Container::Safetensors, "safetensors", {}, std::move(header.metadata)};
  for (auto& [name, entry] : header.tensors) {
    file.spend(kTensorBytes, "its list of tensors");
    source.tensors.push_back(
        {name, name, entry.shape,
         [file, entry = std::move(entry), what = "tensor '" + name + "'"] { return read_entry(file, entry, what); }});
  }
  return source;
}

}  // namespace avs::weights
