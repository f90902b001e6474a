// NoCopy is the base of classes whose objects must not be copied: guards of a scope, and owners of a handle or of memory.
// Scoped is the plainest guard.
#pragma once

#include <utility>

namespace avs {

class NoCopy {
 public:
  NoCopy() = default;
  NoCopy(const NoCopy&) = delete;
  NoCopy& operator=(const NoCopy&) = delete;
};

// Sets a variable and restores it at the end of the scope.
template <typename T>
class Scoped : NoCopy {
 public:
  Scoped(T& variable, T value) : variable_(variable), before_(std::exchange(variable, std::move(value))) {}
  ~Scoped() { variable_ = std::move(before_); }

 private:
  T& variable_;
  T before_;
};

}  // namespace avs
