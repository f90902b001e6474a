#include "cuda/opened_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

namespace avs::cuda {
namespace {

struct Problems {
  std::mutex mutex;
  std::vector<std::string> all;
};
Problems& known_problems() {
  static Problems problems;
  return problems;
}

}  // namespace

std::vector<std::string> OpenedLibrary::problems() {
  Problems& known = known_problems();
  const std::lock_guard lock(known.mutex);
  return known.all;
}

OpenedLibrary::OpenedLibrary(std::string name, const std::string& soname, const char* variable,
                             const std::string& folder)
    : name_(std::move(name)) {
  const auto open = [&](const std::string& file) {
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
    const char* const error = handle_ == nullptr ? dlerror() : nullptr;
    if (error != nullptr && problem_.empty()) problem_ = error;
    return handle_ != nullptr;
  };
  const char* const asked = std::getenv(variable);
  const bool opened =
      asked != nullptr && *asked != 0 ? open(asked) : open(soname) || (!folder.empty() && open(folder + "/" + soname));
  problem_ = opened ? std::string()
                    : str(name_, " cannot be opened: ", problem_, " (", variable, "=PATH or LD_LIBRARY_PATH say where ",
                          soname, " is)");
  if (opened) return;
  Problems& known = known_problems();
  const std::lock_guard lock(known.mutex);
  known.all.push_back(problem_);
}

void* OpenedLibrary::address_of(const char* function) const {
  AVS_CHECK(DeviceError, handle_ != nullptr, problem_);
  void* const address = dlsym(handle_, function);
  AVS_CHECK(DeviceError, address != nullptr, name_, " has no function ", function, ": another version is needed");
  return address;
}

}  // namespace avs::cuda
