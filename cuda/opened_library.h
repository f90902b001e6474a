// A library of NVIDIA's that is opened when it is first asked for: programs start, and compute on the CPU, where it is
// not.
#pragma once

#include <string>
#include <vector>

#include "tensor/error.h"

namespace avs::cuda {

class OpenedLibrary {
 public:
  // `variable` of the environment may name the file; without it `soname` ("libcudnn.so.9") is looked for where the
  // loader looks (LD_LIBRARY_PATH, the system's folders), then in `folder`, where it lay beside the headers of this
  // build.
  OpenedLibrary(std::string name, const std::string& soname, const char* variable, const std::string& folder);

  const std::string& problem() const { return problem_; }  // one sentence that says what to do; empty: it was opened
  void* handle() const { return handle_; }                 // null: it was not
  static std::vector<std::string> problems();              // of all that were asked for so far
  template <typename Function>
  Function* find(const char* function) const {
    return reinterpret_cast<Function*>(address_of(function));
  }

 private:
  void* address_of(const char* function) const;  // DeviceError: the library is not open or has no such function

  std::string name_, problem_;
  void* handle_ = nullptr;
};

}  // namespace avs::cuda
