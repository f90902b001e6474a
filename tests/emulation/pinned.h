// Pinned host memory and its pending copies. A copy from the device becomes visible only when the host has waited for
// it, and the source of a copy to the device must not change before that.
#pragma once

#include <cstddef>

namespace avs::emulation::pinned {

void* allocate(size_t bytes);
bool release(void* data);  // returns false if this is not the beginning of such memory
bool contains(const void* data);

void write(void* to, const void* from, size_t bytes);  // a copy that runs now; `to` is NaN until the host has waited
void read(const void* from, size_t bytes);
void before_host_waits();  // Finding: the host changed the source of a pending copy
void after_host_waited();

}  // namespace avs::emulation::pinned
