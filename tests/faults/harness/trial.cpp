#include "tests/faults/harness/trial.h"

#include <signal.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <sstream>

#include "tensor/error.h"

namespace avs::faults {
namespace {

namespace fs = std::filesystem;

std::string program_of(const Scenario& scenario) { return scenario.command.substr(0, scenario.command.find(' ')); }
std::string name_of_signal(int signal) { return str("SIG", ::sigabbrev_np(signal)); }
std::string quoted(const std::string& text) { return text.empty() ? " (it said nothing)" : ":\n" + text; }

// The second word of a log line: the path, or the position of a crash.
std::string second_word(const std::string& line) { return line.substr(std::min(line.size(), line.find(' ') + 1)); }

bool kills(Action action) {
  return action == Action::KillBefore || action == Action::KillHalfway || action == Action::KillAfter ||
         action == Action::PowerCut;
}
bool touches_a_file(Operation operation) { return operation < Operation::Memory; }

// ---- exit code and message ---------------------------------------------------

bool is_folder(const std::string& path, const Prepared& prepared) {
  return path == "." || prepared.after.contains(path + "/") || prepared.before.contains(path + "/");
}

// Does the text name the file? For an unfinished file its final name counts; for a folder or a lock, the folder.
bool names_file(const std::string& text, const std::string& path, const Prepared& prepared) {
  const fs::path file = path;
  const std::string name = file.filename().string();
  if (text.find(name) != std::string::npos) return true;
  // ".NAME.N.avs-part" becomes NAME.
  if (constexpr std::string_view part = ".avs-part"; name.starts_with('.') && name.ends_with(part)) {
    const std::string numbered = name.substr(1, name.size() - 1 - part.size());
    if (text.find(numbered.substr(0, numbered.rfind('.'))) != std::string::npos) return true;
  }
  if (is_folder(path, prepared) || name == ".lock" || path == ".")
    return path == "." || text.find(file.parent_path().string()) != std::string::npos;
  for (const Tree* const tree : {&prepared.before, &prepared.after})
    for (const auto& [known, node] : *tree) {
      const std::string final_name = fs::path(known).filename().string();
      if (!final_name.empty() && name.find(final_name) != std::string::npos &&
          text.find(final_name) != std::string::npos)
        return true;
    }
  return false;
}

std::string complaint_about_message(const Ending& ending, const Trial& trial, const Prepared& prepared) {
  const std::string mark = program_of(*prepared.scenario) + ": ";
  int messages = 0;
  std::istringstream in(ending.err);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(mark) || line.starts_with("libgomp: ")) ++messages;
  if (messages != 1) return str("exit ", ending.code, " with ", messages, " messages", quoted(ending.err));
  const std::string hit = ending.logged("hit").value_or(""), path = second_word(hit);
  if (touches_a_file(trial.fault->operation) && !hit.empty() && trial.fault->expect != Expect::Death &&
      trial.fault->action != Action::Overtake && !names_file(ending.err, path, prepared))
    return str("exit ", ending.code, ", and the message does not name ", path, quoted(ending.err));
  return {};
}

std::string complaint_about_ending(const Ending& ending, const Trial& trial, const Prepared& prepared) {
  const Fault& fault = *trial.fault;
  if (ending.timed_out) return "did not end within a minute";
  if (ending.signal != 0) {
    const bool wanted = (kills(fault.action) && ending.signal == SIGKILL) ||
                        (fault.action == Action::Signal && ending.signal == fault.value);
    if (wanted) return {};
    const std::string where = second_word(ending.logged("crash").value_or("? ?"));
    return str("ended by ", name_of_signal(ending.signal), " in ", where, quoted(ending.err));
  }
  static const std::set<int> codes = {0, 1, 2, 128 + SIGHUP, 128 + SIGINT, 128 + SIGTERM};
  if (!codes.contains(ending.code)) return str("exit ", ending.code, quoted(ending.err));
  if (ending.code == 0) return {};
  const std::string path = second_word(ending.logged("hit").value_or(""));
  if (fault.expect == Expect::Success && !is_folder(path, prepared))
    return str("gave up, exit ", ending.code, quoted(ending.err));
  return complaint_about_message(ending, trial, prepared);
}

// The library that crashed because it does not check its allocations; empty if it is our code. Counted by name.
std::string crashed_library(const Ending& ending, const std::string& program) {
  const auto name = [](const std::string& line) { return line.substr(0, line.find('+')); };
  const std::string asked = name(ending.logged("asked").value_or(""));
  const std::string where = name(second_word(ending.logged("crash").value_or("")));
  const bool theirs = !asked.empty() && !where.empty() && asked != program && where != program;
  return ending.signal != 0 && theirs ? asked : "";
}

// ---- files ---------------------------------------------------------------------

const std::string* result_that_holds(const Scenario& scenario, const std::string& path) {
  for (const std::string& result : scenario.results)
    if (path == result || (result.ends_with('/') && path.starts_with(result))) return &result;
  return nullptr;
}

// Checks that every file is the old or the new one, or complete if it lies in a folder the program works in; other
// files must be unchanged.
std::string complaint_about_files(const Workplace& place, const Tree& now, const Prepared& prepared) {
  for (const auto& [path, node] : prepared.before) {
    const std::string* const result = result_that_holds(*prepared.scenario, path);
    const bool replaced = result != nullptr && !path.ends_with("mine.txt");
    const auto found = now.find(path);
    if (found == now.end()) {
      if (!replaced || !result->ends_with('/')) return path + " is gone";
    } else if (!replaced && found->second.bytes != node.bytes) {
      return path + " was changed";
    }
  }
  for (const auto& [path, node] : now) {
    const auto old = prepared.before.find(path), wanted = prepared.after.find(path);
    if (path.ends_with('/') || (old != prepared.before.end() && old->second.bytes == node.bytes)) continue;
    if (wanted == prepared.after.end() || same_file(path, node.bytes, wanted->second.bytes)) continue;
    if (!is_whole(place.folder, path, node.bytes)) return str(path, " is torn (", node.bytes.size(), " bytes)");
  }
  return {};
}

std::string complaint_about_reader(const Workplace& place, const Prepared& prepared) {
  const std::string& reader = prepared.scenario->reader;
  if (reader.empty()) return {};
  const Ending ending = run(place, reader);
  if (ending.signal != 0 || ending.code > 2)
    return str("then '", reader, "' ended with ", ending.code, " ", ending.signal, quoted(ending.err));
  if (ending.done() && ending.out != prepared.read_before && ending.out != prepared.read_after)
    return str("then '", reader, "' answers neither as before nor as after:\n", ending.out);
  return {};
}

std::string complaint_about_results(const Ending& ending, const Tree& now, const Prepared& prepared) {
  const std::string files = difference(now, prepared.after);
  if (!files.empty()) return files;
  return prepared.scenario->prints_result && ending.out != prepared.out ? "stdout differs:\n" + ending.out : "";
}

std::string complaint_about_second_run(const Workplace& place, const Prepared& prepared) {
  const Ending ending = run(place, prepared.scenario->command);
  if (!ending.done())
    return str("the same command again ended with ", ending.code, " ", ending.signal, quoted(ending.err));
  const std::string results = complaint_about_results(ending, capture(place.folder), prepared);
  return results.empty() ? "" : "after the same command again " + results;
}

}  // namespace

Result run_trial(const Workplace& place, const Prepared& prepared, const Trial& trial) {
  restore(place.folder, prepared.before);
  const Fault& fault = *trial.fault;
  Ending other;
  const Ending ending =
      run(place, prepared.scenario->command, Injection{fault.operation, fault.action, fault.value, trial.number},
          [&] { other = run(place, prepared.scenario->command); });
  Result result;
  result.library = crashed_library(ending, program_of(*prepared.scenario));
  const Tree now = capture(place.folder);
  const bool finished = ending.done() && complaint_about_results(ending, now, prepared).empty();
  const auto complain = [&](const std::string& text) {
    if (result.complaint.empty()) result.complaint = text;
    return !text.empty();
  };
  if (result.library.empty()) complain(complaint_about_ending(ending, trial, prepared));
  if (fault.action == Action::Overtake && other.code != -1 && !other.done())
    complain(complaint_about_message(other, trial, prepared));
  const std::string& told = prepared.scenario->tells;
  const bool is_told = !told.empty() && ending.out.find(told) != std::string::npos;
  if (ending.done() && !finished && !is_told) complain("exit 0, but " + complaint_about_results(ending, now, prepared));
  complain(complaint_about_files(place, now, prepared));
  if (!finished) {
    if (!is_told) complain(complaint_about_reader(place, prepared));
    complain(complaint_about_second_run(place, prepared));
  }
  if (!result.complaint.empty()) {
    result.complaint += " [" + ending.logged("hit").value_or("nothing") + " was hit]";
    return result;
  }
  result.outcome = !result.library.empty() ? Outcome::InLibrary
                   : !ending.logged("hit") ? Outcome::Unreached
                   : ending.done()         ? Outcome::WentOn
                   : ending.signal != 0    ? Outcome::Died
                                           : Outcome::Stopped;
  return result;
}

}  // namespace avs::faults
