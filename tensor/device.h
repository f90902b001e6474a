// The device that holds a tensor's memory.
#pragma once

#include <cstdint>
#include <ostream>

namespace avs {

struct Device {
  enum class Kind : uint8_t { Cpu, Cuda };
  Kind kind = Kind::Cpu;
  int index = 0;

  bool is_cuda() const { return kind == Kind::Cuda; }
  bool operator==(const Device&) const = default;
};

inline constexpr Device kCpu{};

inline std::ostream& operator<<(std::ostream& out, Device device) {
  return device.is_cuda() ? out << "cuda:" << device.index : out << "cpu";
}

}  // namespace avs
