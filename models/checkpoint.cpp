#include "models/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/file.h"
#include "models/printable.h"
#include "models/safetensors_header.h"
#include "tensor/ops/cast.h"
#include "tensor/require.h"

namespace avs {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoint bytes are little endian");

namespace fs = std::filesystem;

constexpr const char* kChecksumKey = "avscene.xxh3";
constexpr std::string_view kNoChecksum = "0000000000000000";

// Position of the checksum's digits in a header. Quotes inside keys and strings are escaped, so the first match is it.
size_t checksum_at(std::string_view header) {
  const std::string key = str('"', kChecksumKey, "\":\"");
  const size_t at = header.find(key);
  return at == std::string_view::npos ? at : at + key.size();
}

// ---- reading ----

struct FileHeader {
  Header header;
  std::string text, checksum;  // checksum: empty if the file has none

  uint64_t data_begins() const { return sizeof(uint64_t) + text.size(); }
};

FileHeader read_header(const InputFile& file, const fs::path& path) {
  const std::string name = path.string();
  const uint64_t file_bytes = file.size();
  require<DataError>(file_bytes >= 8, name, ": truncated: has ", file_bytes, " bytes, a checkpoint begins with 8");
  uint64_t header_bytes = 0;
  file.read(&header_bytes, sizeof(header_bytes), 0);
  require<DataError>(header_bytes <= kMaxHeaderBytes, name, ": at byte 0: the header is said to have ", header_bytes,
                     " bytes, the format allows ", kMaxHeaderBytes, "; this is not a safetensors file");
  require<DataError>(header_bytes <= file_bytes - 8, name, ": truncated: its header should have ", header_bytes,
                     " bytes and the file ends after ", file_bytes);
  std::string text(header_bytes, '\0');
  file.read(text.data(), header_bytes, 8);
  FileHeader read{parse_header(text, name, file_bytes), std::move(text), {}};
  const auto checksum = read.header.metadata.extract(kChecksumKey);
  const size_t at = checksum_at(read.text);
  if (!checksum.empty() && checksum.mapped().size() == kNoChecksum.size() && at != std::string::npos) {
    read.checksum = checksum.mapped();
    read.text.replace(at, kNoChecksum.size(), kNoChecksum);
  }
  return read;
}

template <typename From>
Tensor read_wide(const InputFile& file, const HeaderEntry& entry, const std::string& where) {
  const Shape shape{std::span<const int64_t>(entry.shape)};
  std::vector<From> values(static_cast<size_t>(shape.size()));
  file.read(values.data(), values.size() * sizeof(From), entry.first_byte);
  using To = std::conditional_t<std::is_same_v<From, double>, float, int32_t>;
  std::vector<To> narrow(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t byte = entry.first_byte + i * sizeof(From);
    if constexpr (std::is_same_v<From, double>) {
      narrow[i] = static_cast<float>(values[i]);
      require<DataError>(std::isinf(values[i]) || !std::isinf(narrow[i]), where, " at byte ", byte, ": the F64 value ",
                         values[i], " does not fit into F32");
    } else {
      require<DataError>(std::in_range<int32_t>(values[i]), where, " at byte ", byte, ": the I64 value ", values[i],
                         " does not fit into I32");
      narrow[i] = static_cast<int32_t>(values[i]);
    }
  }
  return Tensor::from(shape, std::span<const To>(narrow));
}

Tensor read_tensor(const InputFile& file, const HeaderEntry& entry, const std::string& where) {
  if (entry.dtype == "F64") return read_wide<double>(file, entry, where);
  if (entry.dtype == "I64") return read_wide<int64_t>(file, entry, where);
  Tensor tensor = Tensor::empty(Shape(std::span<const int64_t>(entry.shape)), dtype_of_header(entry.dtype));
  file.read(tensor.raw(), tensor.bytes(), entry.first_byte);
  return tensor;
}

// ---- writing ----

// Wide types first, so that every tensor is aligned; equal types are sorted by name.
std::vector<const std::pair<const std::string, Tensor>*> file_order(const std::map<std::string, Tensor>& tensors) {
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& item : tensors) order.push_back(&item);
  std::ranges::stable_sort(order, std::greater{}, [](const auto* item) { return size_of(item->second.dtype()); });
  return order;
}

std::string header_of(const Checkpoint& checkpoint) {
  nlohmann::json header = nlohmann::json::object();
  header["__metadata__"] = checkpoint.metadata;
  header["__metadata__"][kChecksumKey] = std::string(kNoChecksum);
  uint64_t offset = 0;
  for (const auto* item : file_order(checkpoint.tensors)) {
    const Tensor& tensor = item->second;
    require<DataError>(tensor.defined(), "checkpoint: the tensor '", item->first, "' is undefined");
    require<DataError>(item->first != "__metadata__", "checkpoint: a tensor cannot be called '__metadata__'");
    header[item->first] = {{"dtype", header_name_of(tensor.dtype())},
                           {"shape", tensor.shape().extents()},
                           {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    require<DataError>(text.size() <= kMaxHeaderBytes, "checkpoint: the header has ", text.size(),
                       " bytes, the format allows ", kMaxHeaderBytes);
    return text;
  } catch (const nlohmann::json::exception&) {
    throw DataError("checkpoint: a name or a metadata entry is not UTF-8");
  }
}

uint64_t checksum_of(std::string_view header, const std::vector<Tensor>& values) {
  Hash hash;
  hash.add(header.data(), header.size());
  for (const Tensor& value : values) hash.add(value.raw(), value.bytes());
  return hash.value();
}

}  // namespace

Checkpoint Checkpoint::load(const fs::path& path) {
  const InputFile file(path);
  FileHeader read = read_header(file, path);
  Checkpoint checkpoint;
  checkpoint.was_checked = !read.checksum.empty();
  if (checkpoint.was_checked) {
    const uint64_t begin = read.data_begins();
    const std::string found = hex(file.hash(begin, file.size() - begin, read.text));
    if (found != read.checksum)
      throw DataError(str(path.string(), ": damaged: some of the ", file.size(),
                          " bytes are not those that were written (XXH3 ", found, ", expected ", read.checksum, ")"));
  }
  checkpoint.metadata = std::move(read.header.metadata);
  for (const auto& [key, entry] : read.header.tensors)
    checkpoint.tensors.emplace(key, read_tensor(file, entry, str(path.string(), ": tensor '", key, "'")));
  return checkpoint;
}

std::map<std::string, std::string> Checkpoint::load_metadata(const fs::path& path) {
  return read_header(InputFile(path), path).header.metadata;
}

void Checkpoint::save(const fs::path& path) const {
  std::string header = header_of(*this);
  std::vector<Tensor> values;  // on the CPU
  try {
    for (const auto* item : file_order(tensors)) values.push_back(item->second.to(kCpu));
  } catch (DeviceError& error) {
    error.add_context(str(path.string(), " was not saved", fs::exists(path) ? " (the old file is untouched)" : ""));
    throw;
  }
  const std::string checksum = hex(checksum_of(header, values));
  header.replace(checksum_at(header), checksum.size(), checksum);
  const uint64_t header_bytes = header.size();
  std::vector<ByteView> parts = {std::as_bytes(std::span(&header_bytes, 1)), std::as_bytes(std::span(header))};
  for (const Tensor& value : values) parts.push_back({static_cast<const std::byte*>(value.raw()), value.bytes()});
  write_file(path, parts);
}

// ---- between modules and checkpoints ----

namespace {

struct Slot {  // a parameter or a buffer that receives a value
  std::string name;
  Tensor value;
};

std::vector<Slot> slots_of(Module& module, const std::string& prefix) {
  std::vector<Slot> slots;
  for (const Parameter* p : module.parameters()) slots.push_back({prefix + p->path, p->variable.value()});
  for (const Buffer* b : module.buffers()) slots.push_back({prefix + b->path, b->value});
  return slots;
}

bool is_float(DType dtype) { return dtype == DType::F32 || dtype == DType::F16 || dtype == DType::BF16; }

}  // namespace

void store_parameters(Module& module, Checkpoint& checkpoint, const std::string& prefix) {
  for (const Slot& slot : slots_of(module, prefix)) checkpoint.tensors[slot.name] = slot.value;
}

void load_parameters(Module& module, const Checkpoint& checkpoint, const std::string& prefix) {
  std::vector<Slot> slots = slots_of(module, prefix);
  std::vector<std::string> missing, unexpected, misshapen;
  std::map<std::string, bool> wanted;
  for (const Slot& slot : slots) {
    wanted[slot.name] = true;
    const auto found = checkpoint.tensors.find(slot.name);
    if (found == checkpoint.tensors.end()) {
      missing.push_back(str(slot.name, "  ", slot.value.shape()));
      continue;
    }
    const Tensor& given = found->second;
    if (given.shape() != slot.value.shape() || is_float(given.dtype()) != is_float(slot.value.dtype()))
      misshapen.push_back(str(slot.name, "  network ", slot.value.dtype(), " ", slot.value.shape(), ", file ",
                              given.dtype(), " ", given.shape()));
  }
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with(prefix) && !wanted.contains(name)) unexpected.push_back(str(name, "  ", tensor.shape()));
  if (!missing.empty() || !unexpected.empty() || !misshapen.empty())
    throw DataError(str("the checkpoint's tensors are not the network's:", listed("missing", missing),
                        listed("unexpected", unexpected), listed("misshapen", misshapen)));

  for (Slot& slot : slots) {
    const Tensor& given = checkpoint.tensors.at(slot.name);
    slot.value.copy_from(ops::cast(given, slot.value.dtype()).to(slot.value.device()));
  }
  module.training() ? module.train() : module.eval();  // refresh folded weights
}

}  // namespace avs
