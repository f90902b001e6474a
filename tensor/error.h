// Errors are exceptions that gather context as they unwind: the op that throws knows only itself; each layer, step or
// file on the way out adds a line, and `main` prints what() and returns 1.
#pragma once

#include <exception>
#include <sstream>
#include <string>
#include <utility>

namespace avs {

class Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }
  void add_context(const std::string& line) { message_ += "\n    " + line; }

 private:
  std::string message_;
};

// Each type calls for a different reaction.
struct ShapeError : Error {
  using Error::Error;
};  // the caller's tensors do not fit together: fix the caller
struct DataError : Error {
  using Error::Error;
};  // one input file is unusable: skip that sample
struct SystemError : Error {
  using Error::Error;
};  // the machine failed (disk, permission, descriptors): stop
struct UsageError : Error {
  using Error::Error;
};  // an option or setting makes no sense: exit code 2
struct NumericError : Error {
  using Error::Error;
};  // NaN or infinity where a number was needed: stop the run
struct DeviceError : Error {
  using Error::Error;
};  // a call of CUDA, cuDNN or oneDNN failed: stop the device
struct OutOfMemory : DeviceError {
  using DeviceError::DeviceError;
};  // reduce the batch

// Writes all parts with operator<< into one string.
template <typename... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  out.exceptions(std::ios::badbit);  // else a refused allocation cuts the text silently
  (out << ... << parts);
  return out.str();
}

}  // namespace avs

// Throws ErrorType with the given parts, then the failed condition and its source location.
#define AVS_CHECK(ErrorType, condition, ...)                                                                       \
  do {                                                                                                             \
    if (!(condition)) [[unlikely]]                                                                                 \
      throw ErrorType(                                                                                             \
          ::avs::str(__VA_ARGS__, " [" #condition ", ", ::avs::detail::short_path(__FILE__), ":", __LINE__, "]")); \
  } while (false)

namespace avs::detail {
// "tensor/ops/conv2d.cpp" for "/home/me/avscene/tensor/ops/conv2d.cpp": the path from the project's root.
inline const char* short_path(const char* path) {
  const char* last[3] = {path, path, path};
  for (const char* p = path; *p != '\0'; ++p)
    if (*p == '/') {
      last[0] = last[1];
      last[1] = last[2];
      last[2] = p + 1;
    }
  return last[0];
}
}  // namespace avs::detail
