#include "tests/emulation/hardware.h"

#include <cstdlib>
#include <sstream>
#include <string>

namespace avs::emulation {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Hardware asked_hardware() {
  Hardware hardware;
  const std::string name = environment("AVS_EMULATION_DEVICE"), bytes = environment("AVS_EMULATION_MEMORY");
  if (name == "no-driver") hardware.found = cudaErrorInsufficientDriver, hardware.driver = 0;
  if (name == "old-driver") hardware.found = cudaErrorInsufficientDriver, hardware.driver = 12040;
  if (name == "no-device") hardware.found = cudaErrorNoDevice;
  hardware.has_code = name != "no-code";
  if (name.starts_with("sm_")) hardware.capability = std::stoi(name.substr(3));
  if (!bytes.empty()) hardware.memory = std::stoull(bytes);
  return hardware;
}

}  // namespace

const Hardware& hardware() {
  static const Hardware asked = asked_hardware();
  return asked;
}

Fault fault_of_environment() {
  Fault fault;
  const std::string asked = environment("AVS_EMULATION_FAULT");
  if (asked.empty()) return fault;
  std::istringstream in(asked);
  std::string after, error, sticky;
  std::getline(std::getline(std::getline(std::getline(in, fault.function, ','), after, ','), error, ','), sticky, ',');
  fault.after = std::stoi(after);
  fault.error = std::stoi(error);
  fault.sticky = sticky == "sticky";
  return fault;
}

}  // namespace avs::emulation
