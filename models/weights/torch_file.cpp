// PyTorch's two formats of a state dict. Zip archive (since torch 1.6): NAME/data.pkl describes the tensors,
// NAME/data/KEY holds the numbers of one storage. Legacy stream: four pickles (magic number, protocol, machine, state
// dict), a fifth with the storage keys, then each storage as a 64-bit count and its numbers.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "models/weights/pickle.h"
#include "models/weights/zip.h"

namespace avs::weights {
namespace {

using pickle::Dict;
using pickle::Document;
using pickle::Storage;
using pickle::ValuePtr;

constexpr int kMaxDepth = 16;
constexpr size_t kMaxTensors = 100'000, kMaxEntries = 1'000'000, kMaxNameBytes = 1000;

// Returns a storage's bytes on demand.
using StorageBytes = std::function<Bytes(const std::string& key)>;

// Checks a tensor's description alone, without its storage.
void check_description(const pickle::Tensor& tensor, const std::string& what) {
  element_count(tensor.shape, what);
  if (tensor.first < 0) throw DataError(what + " begins before its storage");
  if (std::ranges::any_of(tensor.strides, [](int64_t stride) { return stride < 0; }))
    throw DataError(what + " has a negative stride");
  if (tensor.storage->count < 0) throw DataError(str(what, " has a storage of ", tensor.storage->count, " elements"));
}

// A tensor's elements in row-major order, gathered by its strides.
std::vector<float> read_tensor(const pickle::Tensor& tensor, const Storage& storage, const Bytes& bytes,
                               const std::string& what) {
  if (!storage.type) throw DataError(str(what, " is of a ", storage.name, ", which no weight is"));
  const NumberType type = *storage.type;
  const uint64_t count = element_count(tensor.shape, what);
  if (count == 0) return {};
  const uint64_t available = bytes.size() / size_of(type);
  uint64_t last = static_cast<uint64_t>(tensor.first), packed = 1;
  bool contiguous = true;
  for (size_t axis = tensor.shape.size(); axis-- > 0;) {
    const auto extent = static_cast<uint64_t>(tensor.shape[axis]);
    const auto stride = static_cast<uint64_t>(tensor.strides[axis]);
    if (extent > 1 && stride > available / (extent - 1)) last = available;
    if (last < available) last += (extent - 1) * stride;
    contiguous = contiguous && (extent == 1 || stride == packed);
    packed *= extent;
  }
  if (last >= available)
    throw DataError(str(what, " reaches beyond the ", available, " elements of storage '", storage.key, "'"));
  const uint64_t width = size_of(type);
  const uint8_t* const start = bytes.data() + static_cast<uint64_t>(tensor.first) * width;
  if (contiguous) return to_floats(start, count, type);

  std::vector<uint8_t> packed_bytes(count * width);
  std::vector<int64_t> at(tensor.shape.size(), 0);
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t from = 0;
    for (size_t axis = 0; axis < at.size(); ++axis) from += static_cast<uint64_t>(at[axis] * tensor.strides[axis]);
    std::memcpy(packed_bytes.data() + i * width, start + from * width, width);
    for (size_t axis = at.size(); axis-- > 0;) {
      if (++at[axis] < tensor.shape[axis]) break;
      at[axis] = 0;
    }
  }
  return to_floats(packed_bytes.data(), count, type);
}

const std::string* text_of(ValuePtr value) { return std::get_if<std::string>(&value->data); }

class StateDict {
 public:
  StateDict(std::shared_ptr<const Document> document, StorageBytes storages, const std::string& file)
      : document_(std::move(document)), storages_(std::move(storages)), file_(file) {}

  // Training scripts save {"state_dict": …, "epoch": …, "optimizer": …}: lists every tensor of every dictionary.
  std::vector<SourceTensor> read() {
    const auto* const dict = std::get_if<Dict>(&document_->root->data);
    if (dict == nullptr) throw DataError(file_ + ": holds no dictionary of a network's tensors");
    collect(*dict, "", 0);
    if (tensors_.empty()) throw DataError(file_ + ": the dictionary holds no tensors");
    return std::move(tensors_);
  }

 private:
  void collect(const Dict& dict, const std::string& prefix, int depth) {
    if (depth > kMaxDepth) throw DataError(file_ + ": its dictionaries are nested too deeply");
    for (const auto& [key, value] : dict.items) {
      const std::string* const text = text_of(key);
      if (++entries_ > kMaxEntries) throw DataError(file_ + ": its dictionaries have more entries than a network");
      if (text == nullptr || text->size() > kMaxNameBytes) continue;
      const std::string name = prefix + *text;
      if (const auto* inner = std::get_if<Dict>(&value->data)) collect(*inner, name + ".", depth + 1);
      if (const auto* tensor = std::get_if<pickle::Tensor>(&value->data)) add(name, *tensor);
    }
  }
  void add(const std::string& name, const pickle::Tensor& tensor) {
    if (!names_.insert(name).second) throw DataError(file_ + ": tensor '" + name + "' occurs twice");
    if (names_.size() > kMaxTensors) throw DataError(file_ + ": has more tensors than a network");
    const std::string what = file_ + ": tensor '" + name + "'";
    check_description(tensor, what);
    tensors_.push_back({name, name, tensor.shape, [document = document_, storages = storages_, &tensor, what] {
                          return read_tensor(tensor, *tensor.storage, storages(tensor.storage->key), what);
                        }});
  }

  std::shared_ptr<const Document> document_;
  StorageBytes storages_;
  std::string file_;
  std::vector<SourceTensor> tensors_;
  std::set<std::string> names_;
  size_t entries_ = 0;
};

}  // namespace

WeightSource read_torch_zip(const Bytes& file) {
  const auto archive = std::make_shared<const ZipArchive>(file);
  const ZipMember* const data = archive->find_last_part("/data.pkl");
  if (archive->find_last_part("/constants.pkl") != nullptr)
    throw DataError(file.name() + ": is a TorchScript program; save the weights alone: torch.save(m.state_dict(), …)");
  if (data == nullptr) throw DataError(file.name() + ": is a zip archive, but neither PyTorch's nor Keras'");
  const std::string folder = data->name.substr(0, data->name.size() - std::string_view("data.pkl").size());
  if (const ZipMember* order = archive->find(folder + "byteorder")) {
    const Bytes text = archive->read(*order);
    if (!text.begins_with("little")) throw DataError(file.name() + ": was saved on a big-endian machine");
  }
  const Bytes bytes = archive->read(*data);
  Cursor cursor(bytes.at(0, bytes.size(), "data.pkl"), bytes, "the pickle");
  const auto document = std::make_shared<const Document>(pickle::read(cursor));
  // Tensors may share a storage: the last one is kept, so that it is unpacked once.
  struct Last {
    std::string key;
    Bytes bytes;
  };
  const auto last = std::make_shared<Last>();
  const StorageBytes storages = [archive, folder, last, name = file.name()](const std::string& key) {
    if (last->bytes.data() != nullptr && last->key == key) return last->bytes;
    const ZipMember* const member = archive->find(folder + "data/" + key);
    if (member == nullptr) throw DataError(name + ": the archive has no member '" + folder + "data/" + key + "'");
    *last = {key, archive->read(*member)};
    return last->bytes;
  };
  return {Container::Torch, "PyTorch zip archive", StateDict(document, storages, file.name()).read(), {}};
}

WeightSource read_torch_stream(const Bytes& file) {
  constexpr std::array<uint8_t, 10> kMagic = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  Cursor cursor(file.at(0, file.size(), "the stream"), file, "the pickle");
  const Document magic = pickle::read(cursor);
  const auto* const number = std::get_if<pickle::BigInteger>(&magic.root->data);
  if (number == nullptr || !std::equal(kMagic.begin(), kMagic.end(), number->bytes.begin(), number->bytes.end()))
    throw DataError(file.name() + ": is a Python pickle, but not one of torch.save");
  pickle::read(cursor);  // protocol version
  pickle::read(cursor);  // the machine's integer sizes and byte order: unchecked, always little endian
  const auto document = std::make_shared<const Document>(pickle::read(cursor));
  const Document keys = pickle::read(cursor);
  const auto* const list = std::get_if<pickle::List>(&keys.root->data);
  if (list == nullptr) throw DataError(file.name() + ": the list of storages is missing");

  std::map<std::string, uint64_t> widths;
  for (const pickle::Value& value : document->values)
    if (const auto* storage = std::get_if<Storage>(&value.data)) widths[storage->key] = storage->width;
  const auto found = std::make_shared<std::map<std::string, Bytes>>();
  for (const ValuePtr key_value : list->items) {
    const std::string* const key = text_of(key_value);
    if (key == nullptr || !widths.contains(*key)) throw DataError(file.name() + ": lists a storage no tensor uses");
    const uint64_t count = cursor.u64(), width = widths.at(*key);
    if (count > cursor.left() / width)
      throw DataError(str(file.name(), ": truncated: a storage of ", count, " numbers should begin at byte ",
                          cursor.position(), " of ", file.size()));
    (*found)[*key] = file.part(cursor.position(), count * width, "storage '" + *key + "'");
    cursor.skip(count * width);
  }
  const StorageBytes storages = [found, name = file.name()](const std::string& key) {
    const auto at = found->find(key);
    if (at == found->end()) throw DataError(name + ": storage '" + key + "' is not in the stream");
    return at->second;
  };
  return {Container::Torch, "PyTorch legacy stream", StateDict(document, storages, file.name()).read(), {}};
}

}  // namespace avs::weights
