// Weight files written by Keras, PyTorch, torchvision, timm and transformers, with eight channels in every layer
// (tests/models/weights/make_goldens.py), unpacked once into a temporary folder.
#pragma once

#include <filesystem>
#include <string>

#include "models/checkpoint.h"
#include "models/weights/bytes.h"
#include "models/weights/import.h"

namespace avs::golden {

inline constexpr double kWidth = 0.01;

const std::filesystem::path& folder();
inline std::string model_of(const std::string& name) { return name.starts_with("inception") ? "vis-inc" : "vis-conv"; }
inline std::filesystem::path file(const std::string& name) { return folder() / name; }
const Checkpoint& expected();  // "x": the picture; each file's name: its library's output
std::string bytes_of(const std::filesystem::path& file);
std::filesystem::path written(const std::string& name, const std::string& bytes);  // in the temporary folder

// Opens the file and loads it into the network.
inline ImportReport load(Backbone& network, const std::filesystem::path& path, const ImportOptions& import = {}) {
  return WeightFile(path, network.options().model, import).load_into(network);
}

// Little-endian bytes of a number.
inline std::string number(uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// The message of the Error of type E that f throws; fails the test if f does not throw it.
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
