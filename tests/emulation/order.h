// Which work of the device is known to be done before which. Streams run side by side whatever the order in which the
// host filled them; only events, and a host that waited, put one's work before another's. A vector clock per stream
// knows: how many pieces of work of each other stream are done before what this one is given next.
//
// The emulation runs work at once, in the order of submission; so a missing wait moves no result here. It is found
// because both sides of a conflict are asked for an order between them (shadow.cpp), and because what the device copies
// to the host appears there only when the host has waited (runtime.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace avs::emulation::order {

using Clock = std::vector<uint32_t>;  // by stream

int new_stream();
bool several_streams();  // did more than one receive work?

// The next piece of work of a stream, which is what runs now. Numbers are unique and begin at 1.
uint32_t begin(int stream, const std::string& name);
uint32_t current();
bool before_current(uint32_t work);
bool done_for_host(uint32_t work);
std::string name_of(uint32_t work);  // "kernel add on stream 1"

Clock now(int stream);                      // what an event records
void wait(int stream, const Clock& event);  // what the stream is given from now on comes after the event
void host_waits(const Clock& event);        // what any stream is given from now on does

}  // namespace avs::emulation::order
