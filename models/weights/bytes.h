// The bytes of a weight file with bounds-checked access. A wrong length in the file gives one DataError with file,
// position and reason.
#pragma once

#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/error.h"

namespace avs::weights {

// Limits the bytes that may be created while a file is read: unpacked, decoded, built as values. Real files need little
// more than their own size; malicious ones (repetition, zip bombs) reach the limit in about a second.
class Allowance {
 public:
  explicit Allowance(uint64_t file_bytes) : left_(8 * file_bytes + (16u << 20)) {}
  bool spend(uint64_t bytes) {  // false: the limit is exceeded
    const bool enough = bytes <= left_;
    left_ -= enough ? bytes : left_;
    return enough;
  }

 private:
  uint64_t left_;
};

// A range of memory and its owner: the file, or an unpacked member of an archive.
class Bytes {
 public:
  Bytes() = default;
  Bytes(std::shared_ptr<const void> owner, std::span<const uint8_t> bytes, std::string name)
      : owner_(std::move(owner)),
        bytes_(bytes),
        name_(std::move(name)),
        allowance_(std::make_shared<Allowance>(bytes.size())) {}

  const std::string& name() const { return name_; }  // "model.pth", "model.keras: model.weights.h5"
  uint64_t size() const { return bytes_.size(); }
  const uint8_t* data() const { return bytes_.data(); }

  // bytes [first, first + count). DataError: `what` ("the header of group 'conv2d_1'") is outside the file.
  std::span<const uint8_t> at(uint64_t first, uint64_t count, std::string_view what) const {
    if (first > bytes_.size() || count > bytes_.size() - first)
      throw DataError(str(name_, ": ", what, " would be bytes ", first, " to ", first, " + ", count, " of ",
                          bytes_.size(), ": the file is truncated or damaged"));
    return bytes_.subspan(first, count);
  }
  Bytes part(uint64_t first, uint64_t count, const std::string& name) const {
    Bytes part = *this;
    part.bytes_ = at(first, count, name);
    part.name_ += ": " + name;
    return part;
  }
  // Owns unpacked bytes, with this object's name and allowance.
  Bytes unpacked(std::vector<uint8_t> bytes) const {
    const auto owner = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
    Bytes unpacked = *this;
    unpacked.owner_ = owner;
    unpacked.bytes_ = *owner;
    return unpacked;
  }
  // DataError "FILE: `what`: …" if the file's allowance is exceeded.
  void spend(uint64_t bytes, std::string_view what) const {
    if (!allowance_->spend(bytes))
      throw DataError(
          str(name_, ": ", what, ": the file would become more than eight times its size: no weights pack so well"));
  }
  bool begins_with(std::string_view text, uint64_t first = 0) const {
    return first <= bytes_.size() && bytes_.size() - first >= text.size() &&
           std::memcmp(bytes_.data() + first, text.data(), text.size()) == 0;
  }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const uint8_t> bytes_;
  std::string name_;
  std::shared_ptr<Allowance> allowance_;
};

// The whole file in memory. DataError: missing, not a regular file, or above 16 GiB. SystemError: unreadable.
Bytes read_file(const std::filesystem::path& file);

// The first bytes of a file, at most `count`.
std::string read_start(const std::filesystem::path& file, uint64_t count);

// Reads little-endian numbers in sequence.
class Cursor {
 public:
  Cursor(std::span<const uint8_t> bytes, const Bytes& file, std::string_view what)
      : bytes_(bytes), file_(&file), what_(what) {}

  const Bytes& file() const { return *file_; }
  uint64_t left() const { return bytes_.size() - next_; }
  uint64_t position() const { return next_; }
  std::span<const uint8_t> take(uint64_t count) {
    if (count > left())
      throw DataError(str(file_->name(), ": ", what_, " ends after ", bytes_.size(), " bytes, inside a field of ",
                          count, ": the file is truncated or damaged"));
    const auto taken = bytes_.subspan(next_, count);
    next_ += count;
    return taken;
  }
  void skip(uint64_t count) { take(count); }
  uint64_t number(int width) {  // an integer of 1 to 8 bytes
    uint64_t value = 0;
    const auto taken = take(static_cast<uint64_t>(width));
    for (size_t i = 0; i < taken.size(); ++i) value |= uint64_t{taken[i]} << (8 * i);
    return value;
  }
  uint8_t u8() { return static_cast<uint8_t>(number(1)); }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return static_cast<uint32_t>(number(4)); }
  uint64_t u64() { return number(8); }
  std::string text(uint64_t count) {
    const auto taken = take(count);
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  std::string line() {  // text up to the next newline, which is skipped
    const auto rest = bytes_.subspan(next_);
    const void* const end = rest.empty() ? nullptr : std::memchr(rest.data(), '\n', rest.size());
    const uint64_t length =
        end == nullptr ? rest.size() + 1 : static_cast<uint64_t>(static_cast<const uint8_t*>(end) - rest.data()) + 1;
    std::string text_and_newline = text(length);
    text_and_newline.pop_back();
    return text_and_newline;
  }
  [[noreturn]] void fail(const std::string& why) const { throw DataError(str(file_->name(), ": ", what_, ": ", why)); }

 private:
  std::span<const uint8_t> bytes_;
  const Bytes* file_;
  std::string_view what_;
  uint64_t next_ = 0;
};

}  // namespace avs::weights
