// Pinned host memory and the copies that may still be under way from and to it. What the device copies there appears
// only when the host has waited for it, and what it copies from there must not have changed until then.
#pragma once

#include <cstddef>

namespace avs::emulation::pinned {

void* allocate(size_t bytes);
bool release(void* data);  // false: not the beginning of such memory
bool contains(const void* data);

void write(void* to, const void* from, size_t bytes);  // a copy that runs now; until the host has waited, `to` is NaN
void read(const void* from, size_t bytes);
void before_host_waits();  // Finding: the host changed what a copy was still reading
void after_host_waited();

}  // namespace avs::emulation::pinned
