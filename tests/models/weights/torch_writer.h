// Writes torch.save's formats by hand: pickled values, and the legacy stream with the numbers of each storage.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "tests/models/weights/golden.h"

namespace avs::golden::torch {

inline std::string text(const std::string& s) { return "X" + number(s.size(), 4) + s; }
inline std::string integer(int64_t value) { return "\x8a\x08" + number(static_cast<uint64_t>(value), 8); }
inline std::string tuple(std::span<const int64_t> values) {
  std::string all = "(";
  for (const int64_t value : values) all += integer(value);
  return all + "t";
}

// Fields of a pickled tensor; its numbers are storage `key`.
struct Described {
  int64_t first = 0;
  std::vector<int64_t> shape = {2, 3}, strides = {3, 1};
  int64_t count = 6;
  std::string key = "0", storage = "FloatStorage";
};
inline std::string tensor(const Described& d) {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" + d.storage + "\n" + text(d.key) +
         text("cpu") + integer(d.count) + "tQ" + integer(d.first) + tuple(d.shape) + tuple(d.strides) +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}
inline std::string dictionary(const std::string& items) { return "ccollections\nOrderedDict\n)R(" + items + "u"; }

// The legacy stream: `root` is a pickle; `storages` holds each count and its numbers.
inline std::string stream(const std::string& root, const std::vector<std::string>& keys, const std::string& storages) {
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.",
                    protocol = "\x80\x02M\xe9\x03.";
  std::string list = "\x80\x02](";
  for (const std::string& key : keys) list += text(key);
  return magic + protocol + "\x80\x02}." + "\x80\x02" + root + "." + list + "e." + storages;
}

// A file with tensors of real numbers.
class Writer {
 public:
  std::string tensor(const Tensor& value) {
    const std::vector<float> numbers = value.to_vector();
    return storage({reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(float)}, value.size(),
                   value.shape().extents(), "FloatStorage");
  }
  // A tensor of a type that is no weight: eight bytes per element.
  std::string complex_numbers(int64_t count) {
    return storage(std::string(static_cast<size_t>(8 * count), '\0'), count, {count}, "ComplexFloatStorage");
  }
  template <typename Tensors>
  std::string items(const Tensors& tensors, const std::string& prefix = "") {
    std::string all;
    for (const auto& [name, value] : tensors) all += text(prefix + name) + tensor(value);
    return all;
  }
  template <typename Tensors>
  std::string state_dict(const Tensors& tensors, const std::string& prefix = "") {
    return dictionary(items(tensors, prefix));
  }
  std::string file(const std::string& root) const { return stream(root, keys_, storages_); }

 private:
  std::string storage(const std::string& bytes, int64_t count, const std::vector<int64_t>& shape,
                      const std::string& type) {
    Described d{.shape = shape, .strides = shape, .count = count, .key = std::to_string(keys_.size()), .storage = type};
    int64_t stride = 1;
    for (size_t axis = shape.size(); axis-- > 0; stride *= shape[axis]) d.strides[axis] = stride;
    keys_.push_back(d.key);
    storages_ += number(static_cast<uint64_t>(count), 8) + bytes;
    return torch::tensor(d);
  }
  std::vector<std::string> keys_;
  std::string storages_;
};

}  // namespace avs::golden::torch
