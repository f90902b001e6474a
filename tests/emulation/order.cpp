#include "tests/emulation/order.h"

#include <unordered_map>

#include "tensor/error.h"

namespace avs::emulation::order {
namespace {

struct Piece {
  int stream;
  uint32_t at;  // position in its stream, from 1
  uint32_t name;
};

struct State {
  std::vector<Clock> streams;  // streams[s][s]: the number of pieces of work given to s
  Clock host;
  std::vector<Piece> pieces{{0, 0, 0}};
  std::vector<std::string> names{""};
  std::unordered_map<std::string, uint32_t> number_of;
  int busy_streams = 0;
};
State& state() {
  static auto* const s = new State;  // never destroyed: tensors in static storage may outlive it
  return *s;
}

void join(Clock& into, const Clock& other) {
  if (into.size() < other.size()) into.resize(other.size(), 0);
  for (size_t i = 0; i < other.size(); ++i) into[i] = std::max(into[i], other[i]);
}
bool covers(const Clock& clock, const Piece& piece) {
  return static_cast<size_t>(piece.stream) < clock.size() && clock[static_cast<size_t>(piece.stream)] >= piece.at;
}
Clock& clock_of(int stream) { return state().streams[static_cast<size_t>(stream)]; }

}  // namespace

int new_stream() {
  const auto number = state().streams.size();
  state().streams.emplace_back(number + 1, 0u);
  return static_cast<int>(number);
}

bool several_streams() { return state().busy_streams > 1; }

uint32_t begin(int stream, const std::string& name) {
  State& s = state();
  Clock& clock = clock_of(stream);
  join(clock, s.host);
  uint32_t& count = clock[static_cast<size_t>(stream)];
  if (count++ == 0) ++s.busy_streams;
  const auto [known, is_new] = s.number_of.try_emplace(name, static_cast<uint32_t>(s.names.size()));
  if (is_new) s.names.push_back(name);
  s.pieces.push_back({stream, count, known->second});
  return current();
}

uint32_t current() { return static_cast<uint32_t>(state().pieces.size() - 1); }

bool before_current(uint32_t work) {
  if (work == 0 || !several_streams()) return true;
  const State& s = state();
  const Piece& now = s.pieces.back();
  return covers(s.streams[static_cast<size_t>(now.stream)], s.pieces[work]);
}

bool done_for_host(uint32_t work) { return covers(state().host, state().pieces[work]); }

std::string name_of(uint32_t work) {
  const Piece& piece = state().pieces[work];
  return str(state().names[piece.name], " on stream ", piece.stream);
}

Clock now(int stream) {
  join(clock_of(stream), state().host);
  return clock_of(stream);
}
void wait(int stream, const Clock& event) { join(clock_of(stream), event); }
void host_waits(const Clock& event) { join(state().host, event); }

}  // namespace avs::emulation::order
