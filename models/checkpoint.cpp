#include "models/checkpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "models/safetensors_header.h"
#include "tensor/ops/cast.h"

namespace avs {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoint bytes are little endian");

namespace fs = std::filesystem;

class File {
 public:
  File(const fs::path& path, int flags) : path_(path), handle_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (handle_ < 0) fail(flags == O_RDONLY ? "cannot be opened" : "cannot be written");
  }
  ~File() {
    if (handle_ >= 0) ::close(handle_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  uint64_t size() const {
    const off_t end = ::lseek(handle_, 0, SEEK_END);
    if (end < 0) fail("cannot be measured");
    return static_cast<uint64_t>(end);
  }
  void read(void* data, uint64_t bytes, uint64_t offset) const {
    auto* out = static_cast<char*>(data);
    while (bytes > 0) {
      const ssize_t got = ::pread(handle_, out, std::min<uint64_t>(bytes, 1u << 30), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("cannot be read");
      if (got == 0) throw DataError(str(path_.string(), ": ends at byte ", offset, " while it is read"));
      out += got;
      offset += static_cast<uint64_t>(got);
      bytes -= static_cast<uint64_t>(got);
    }
  }
  void write(const void* data, uint64_t bytes) {
    const auto* in = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t put = ::write(handle_, in, std::min<uint64_t>(bytes, 1u << 30));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail("cannot be written");
      in += put;
      bytes -= static_cast<uint64_t>(put);
    }
  }
  void sync() {
    if (::fsync(handle_) != 0) fail("cannot be written to disk");
  }
  void close() {
    const int handle = std::exchange(handle_, -1);
    if (::close(handle) != 0) fail("cannot be closed");
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw DataError(str(path_.string(), ": ", what, ": ", std::generic_category().message(errno)));
  }
  fs::path path_;
  int handle_;
};

// ---- reading ----

Header read_header(const File& file, const fs::path& path) {
  const std::string name = path.string();
  if (fs::is_directory(path)) throw DataError(name + ": is a directory, not a checkpoint");
  const uint64_t file_bytes = file.size();
  if (file_bytes < 8) throw DataError(str(name, ": truncated: has ", file_bytes, " bytes, a checkpoint begins with 8"));
  uint64_t header_bytes = 0;
  file.read(&header_bytes, sizeof(header_bytes), 0);
  if (header_bytes > kMaxHeaderBytes)
    throw DataError(str(name, ": at byte 0: the header is said to have ", header_bytes, " bytes, the format allows ",
                        kMaxHeaderBytes, "; this is not a safetensors file"));
  if (header_bytes > file_bytes - 8)
    throw DataError(str(name, ": truncated: its header should have ", header_bytes, " bytes and the file ends after ",
                        file_bytes));
  std::string text(header_bytes, '\0');
  file.read(text.data(), header_bytes, 8);
  return parse_header(text, name, file_bytes);
}

template <typename From>
Tensor read_wide(const File& file, const HeaderEntry& entry, const std::string& where) {
  const Shape shape{std::span<const int64_t>(entry.shape)};
  std::vector<From> values(static_cast<size_t>(shape.size()));
  file.read(values.data(), values.size() * sizeof(From), entry.first_byte);
  using To = std::conditional_t<std::is_same_v<From, double>, float, int32_t>;
  std::vector<To> narrow(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const uint64_t byte = entry.first_byte + i * sizeof(From);
    if constexpr (std::is_same_v<From, double>) {
      narrow[i] = static_cast<float>(values[i]);
      AVS_CHECK(DataError, std::isinf(values[i]) || !std::isinf(narrow[i]), where, " at byte ", byte,
                ": the F64 value ", values[i], " does not fit into F32");
    } else {
      AVS_CHECK(DataError, std::in_range<int32_t>(values[i]), where, " at byte ", byte, ": the I64 value ", values[i],
                " does not fit into I32");
      narrow[i] = static_cast<int32_t>(values[i]);
    }
  }
  return Tensor::from(shape, std::span<const To>(narrow));
}

Tensor read_tensor(const File& file, const HeaderEntry& entry, const std::string& where) {
  if (entry.dtype == "F64") return read_wide<double>(file, entry, where);
  if (entry.dtype == "I64") return read_wide<int64_t>(file, entry, where);
  Tensor tensor = Tensor::empty(Shape(std::span<const int64_t>(entry.shape)), dtype_of_header(entry.dtype));
  file.read(tensor.raw(), tensor.bytes(), entry.first_byte);
  return tensor;
}

// ---- writing ----

// Wide types first, so that every tensor is aligned; names decide between equals.
std::vector<const std::pair<const std::string, Tensor>*> file_order(const std::map<std::string, Tensor>& tensors) {
  std::vector<const std::pair<const std::string, Tensor>*> order;
  for (const auto& item : tensors) order.push_back(&item);
  std::ranges::stable_sort(order, std::greater{}, [](const auto* item) { return size_of(item->second.dtype()); });
  return order;
}

std::string header_of(const Checkpoint& checkpoint) {
  nlohmann::json header = nlohmann::json::object();
  if (!checkpoint.metadata.empty()) header["__metadata__"] = checkpoint.metadata;
  uint64_t offset = 0;
  for (const auto* item : file_order(checkpoint.tensors)) {
    const Tensor& tensor = item->second;
    AVS_CHECK(DataError, tensor.defined(), "checkpoint: the tensor '", item->first, "' is undefined");
    AVS_CHECK(DataError, item->first != "__metadata__", "checkpoint: a tensor cannot be called '__metadata__'");
    header[item->first] = {{"dtype", header_name_of(tensor.dtype())},
                           {"shape", tensor.shape().extents()},
                           {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    AVS_CHECK(DataError, text.size() <= kMaxHeaderBytes, "checkpoint: the header has ", text.size(),
              " bytes, the format allows ", kMaxHeaderBytes);
    return text;
  } catch (const nlohmann::json::exception&) {
    throw DataError("checkpoint: a name or a metadata entry is not UTF-8");
  }
}

void write_all(const Checkpoint& checkpoint, const std::string& header, File& file) {
  const uint64_t header_bytes = header.size();
  file.write(&header_bytes, sizeof(header_bytes));
  file.write(header.data(), header.size());
  std::vector<std::byte> host;
  for (const auto* item : file_order(checkpoint.tensors)) {
    const Tensor& tensor = item->second;
    if (!tensor.device().is_cuda()) {
      file.write(tensor.raw(), tensor.bytes());
      continue;
    }
    host.resize(tensor.bytes());
    context(tensor.device()).copy_to_host(host.data(), tensor.raw(), host.size());
    file.write(host.data(), host.size());
  }
}

}  // namespace

Checkpoint Checkpoint::load(const fs::path& path) {
  const File file(path, O_RDONLY);
  Header header = read_header(file, path);
  Checkpoint checkpoint;
  checkpoint.metadata = std::move(header.metadata);
  for (const auto& [key, entry] : header.tensors)
    checkpoint.tensors.emplace(key, read_tensor(file, entry, str(path.string(), ": tensor '", key, "'")));
  return checkpoint;
}

std::map<std::string, std::string> Checkpoint::load_metadata(const fs::path& path) {
  return read_header(File(path, O_RDONLY), path).metadata;
}

void Checkpoint::save(const fs::path& path) const {
  const std::string header = header_of(*this);
  const fs::path partial = path.string() + ".part";  // one name: what a killed process leaves, the next one overwrites
  try {
    {
      File file(partial, O_WRONLY | O_CREAT | O_TRUNC);
      write_all(*this, header, file);
      file.sync();
      file.close();
    }
    fs::rename(partial, path);
    File directory(path.has_parent_path() ? path.parent_path() : fs::path("."), O_RDONLY | O_DIRECTORY);
    directory.sync();
  } catch (const std::exception& error) {
    std::error_code ignored;
    fs::remove(partial, ignored);
    throw DataError(str("the checkpoint ", path.string(), " was not saved",
                        fs::exists(path, ignored) ? " (the old file is untouched)" : "", ": ", error.what()));
  }
}

// ---- between modules and checkpoints ----

namespace {

struct Slot {  // a parameter or a buffer: where a value goes
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

std::string group(const char* title, const std::vector<std::string>& names) {
  std::string text;
  if (!names.empty()) text = str("\n  ", title, " (", names.size(), "):");
  for (const std::string& name : names) text += "\n    " + name;
  return text;
}

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
    throw DataError(str("the checkpoint's tensors are not the network's:", group("missing", missing),
                        group("unexpected", unexpected), group("misshapen", misshapen)));

  for (Slot& slot : slots) {
    const Tensor& given = checkpoint.tensors.at(slot.name);
    slot.value.copy_from(ops::cast(given, slot.value.dtype()).to(slot.value.device()));
  }
  module.training() ? module.train() : module.eval();  // folded weights are stale now
}

}  // namespace avs
