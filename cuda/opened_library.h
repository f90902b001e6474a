// An NVIDIA library that is opened at first use, so that programs start and compute on the CPU without it.
#pragma once

#include <string>
#include <vector>

#include "tensor/error.h"

namespace avs::cuda {

class OpenedLibrary {
 public:
  // The environment's `variable` may name the file; otherwise the constructor looks for `soname` ("libcudnn.so.9") in
  // the loader's paths (LD_LIBRARY_PATH, system folders), then in `folder`, next to the headers of this build.
  OpenedLibrary(std::string name, const std::string& soname, const char* variable, const std::string& folder);

  const std::string& problem() const { return problem_; }  // one sentence that says what to do; empty if it was opened
  void* handle() const { return handle_; }                 // null if it was not opened
  static std::vector<std::string> problems();              // the problems of all libraries that were used so far
  template <typename Function>
  Function* find(const char* function) const {
    return reinterpret_cast<Function*>(address_of(function));
  }

 private:
  void* address_of(const char* function) const;  // DeviceError if the library is not open or lacks the function

  std::string name_, problem_;
  void* handle_ = nullptr;
};

}  // namespace avs::cuda
