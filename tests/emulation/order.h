// Knows which device work is ordered before which. Streams run concurrently, whatever the order in which the host
// submitted work; only events, and a host that waits, order the work of two streams. Each stream has a vector clock:
// how many pieces of work of each other stream finish before its next one begins.
//
// The emulation runs work at once, in the order of submission, so a missing wait changes no result. It is found because
// each conflict needs an order between its two sides (shadow.cpp), and because copies to the host become visible only
// when the host has waited (runtime.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace avs::emulation::order {

using Clock = std::vector<uint32_t>;  // indexed by stream

int new_stream();
bool several_streams();  // did more than one stream receive work?

// Begins the next piece of work of a stream, which becomes the current one. Numbers are unique and begin at 1.
uint32_t begin(int stream, const std::string& name);
uint32_t current();
bool before_current(uint32_t work);
bool done_for_host(uint32_t work);
std::string name_of(uint32_t work);  // "kernel add on stream 1"

Clock now(int stream);                      // the clock that an event records
void wait(int stream, const Clock& event);  // later work of the stream follows the event
void host_waits(const Clock& event);        // later work of every stream follows the event

}  // namespace avs::emulation::order
