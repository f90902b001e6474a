// Files written by Keras, PyTorch, torchvision, timm and transformers themselves, at eight channels everywhere
// (tests/weights/make_goldens.py), unpacked once into a temporary folder.
#pragma once

#include <filesystem>
#include <string>

#include "models/checkpoint.h"
#include "models/weights/bytes.h"

namespace avs::golden {

inline constexpr double kWidth = 0.01;

const std::filesystem::path& folder();
inline std::string model_of(const std::string& name) { return name.starts_with("inception") ? "vis-inc" : "vis-conv"; }
inline std::filesystem::path file(const std::string& name) { return folder() / name; }
const Checkpoint& expected();  // "x": the picture; each file's name: what its library computes
std::string bytes_of(const std::filesystem::path& file);
std::filesystem::path written(const std::string& name, const std::string& bytes);  // into the temporary folder

// A little-endian number, as files hold it.
inline std::string number(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// What an Error of type E says, or a failed test when nothing of the kind is thrown.
template <typename E, typename F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

}  // namespace avs::golden
