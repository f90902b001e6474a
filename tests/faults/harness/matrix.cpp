#include "tests/faults/harness/matrix.h"

#include <signal.h>

#include <cerrno>
#include <map>
#include <set>
#include <sstream>

#include "tensor/error.h"
#include "tensor/rng.h"

namespace avs::faults {
namespace {

using enum Operation;
using enum Action;
using enum Expect;

constexpr Fault kFaults[] = {
    {OpenToWrite, KillBefore, 0, "kill", Death},
    {OpenToWrite, KillAfter, 0, "kill-after", Death},
    {Write, KillBefore, 0, "kill", Death},
    {Write, KillHalfway, 0, "kill-halfway", Death},
    {Write, PowerCut, 0, "power-cut", Death},
    {Sync, KillBefore, 0, "kill", Death},
    {Sync, PowerCut, 0, "power-cut", Death},
    {Close, KillBefore, 0, "kill", Death},
    {Rename, KillBefore, 0, "kill", Death},
    {Rename, KillAfter, 0, "kill-after", Death},
    {Rename, PowerCut, 0, "power-cut", Death},
    {Unlink, KillBefore, 0, "kill", Death},
    {Unlink, KillAfter, 0, "kill-after", Death},
    {MakeFolder, KillBefore, 0, "kill", Death},
    {MakeFolder, KillAfter, 0, "kill-after", Death},
    {OpenToRead, KillBefore, 0, "kill", Death},
    {Read, KillBefore, 0, "kill", Death},
    {Map, KillBefore, 0, "kill", Death},
    {Read, Signal, SIGINT, "SIGINT", Death},
    {Write, Signal, SIGINT, "SIGINT", Death},
    {Write, Signal, SIGTERM, "SIGTERM", Death},
    {Read, Signal, SIGHUP, "SIGHUP", Death},
    {Rename, Signal, SIGTERM, "SIGTERM", Death},
    {OpenToRead, Fail, EACCES, "EACCES", Answer},
    {OpenToRead, Fail, EIO, "EIO", Answer},
    {OpenToRead, Fail, EMFILE, "EMFILE", Answer},
    {OpenToWrite, Fail, EACCES, "EACCES", Answer},
    {OpenToWrite, Fail, EMFILE, "EMFILE", Answer},
    {OpenToWrite, Fail, ENOSPC, "ENOSPC", Answer},
    {Read, Fail, EIO, "EIO", Answer},
    {Write, Fail, EIO, "EIO", Answer},
    {Write, FailOnwards, ENOSPC, "ENOSPC-onwards", Answer},
    {Sync, Fail, EIO, "EIO", Answer},
    {Sync, Fail, ENOSPC, "ENOSPC", Answer},
    {Close, Fail, EIO, "EIO", Answer},
    {Rename, Fail, EACCES, "EACCES", Answer},
    {Rename, Fail, ENOSPC, "ENOSPC", Answer},
    {Unlink, Fail, EACCES, "EACCES", Answer},
    {MakeFolder, Fail, EACCES, "EACCES", Answer},
    {MakeFolder, Fail, ENOSPC, "ENOSPC", Answer},
    {Map, Fail, ENOMEM, "ENOMEM", Answer},
    {Page, Unreadable, 0, "first-unreadable", Answer},
    {Page, Unreadable, 1, "last-unreadable", Answer},
    {OpenToRead, Fail, EINTR, "EINTR", Success},
    {OpenToWrite, Fail, EINTR, "EINTR", Success},
    {Read, Fail, EINTR, "EINTR", Success},
    {Write, Fail, EINTR, "EINTR", Success},
    {Sync, Fail, EINTR, "EINTR", Success},
    {Close, Fail, EINTR, "EINTR", Success},
    {Read, Short, 0, "short", Success},
    {Write, Short, 0, "short", Success},
    {OpenToWrite, Overtake, 0, "overtaken", Answer},
    {Write, Overtake, 0, "overtaken", Answer},
    {Rename, Overtake, 0, "overtaken", Answer},
    {Memory, Fail, ENOMEM, "refused", Answer},
    {LargeMemory, Fail, ENOMEM, "refused", Answer},
    {LargeMemory, FailOnwards, ENOMEM, "refused-onwards", Answer},
    {Thread, Fail, EAGAIN, "refused", Answer},
};

bool is_memory(Operation operation) { return operation == Memory || operation == LargeMemory; }

// (operation, class of paths) -> numbers of its calls
using Calls = std::map<std::pair<std::string, std::string>, std::vector<int64_t>>;

Calls group(const std::vector<std::string>& log, std::map<std::string, int64_t>& allocations) {
  Calls calls;
  std::map<std::string, int64_t> numbers;
  for (const std::string& line : log) {
    std::istringstream in(line);
    std::string kind, operation, path;
    in >> kind >> operation;
    std::getline(in >> std::ws, path);
    if (kind == "count") allocations[operation] = std::stoll(path);
    if (kind == "call") calls[{operation, path_class(path)}].push_back(++numbers[operation]);
  }
  return calls;
}

// Picks the first, the last, and random others.
std::set<int64_t> pick(const std::vector<int64_t>& numbers, int64_t count, Rng rng) {
  const auto size = static_cast<int64_t>(numbers.size());
  std::set<int64_t> picked;
  for (int64_t i = 0; i < count && static_cast<int64_t>(picked.size()) < size; ++i) {
    const auto at = i == 0 ? 0 : i == 1 ? size - 1 : static_cast<int64_t>(rng.below(static_cast<uint64_t>(size)));
    picked.insert(numbers[static_cast<size_t>(at)]);
  }
  return picked;
}

}  // namespace

std::span<const Fault> faults() { return kFaults; }

std::string path_class(const std::string& path) {
  if (path == "-") return path;
  const size_t slash = path.find('/'), last = path.rfind('/');
  const std::string file = last == std::string::npos ? path : path.substr(last + 1);
  const std::string top = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  for (const std::string ending : {".safetensors", ".clip", ".jsonl", ".json", ".toml", ".html", ".mp4", ".csv", ".png",
                                   ".h5", ".pth", ".lock", ".txt"})
    if (file.find(ending) != std::string::npos) return top + "*" + ending + (file.ends_with(ending) ? "" : " ~");
  return top.empty() ? "." : top;
}

std::string Trial::name() const { return str(kOperationNames[static_cast<int>(fault->operation)], " ", fault->name); }
std::string Trial::text() const { return str(name(), " ", number); }

Trial trial_from(const std::string& text) {
  std::istringstream in(text);
  std::string operation, name;
  int64_t number = 0;
  in >> operation >> name >> number;
  for (const Fault& fault : kFaults)
    if (operation == kOperationNames[static_cast<int>(fault.operation)] && name == fault.name && number > 0)
      return {&fault, number, "-"};
  throw UsageError(str("no fault '", text, "'; give one as a report names it, such as 'rename kill 3'"));
}

std::vector<Trial> choose_trials(const Prepared& prepared, int64_t each, uint64_t seed) {
  std::map<std::string, int64_t> allocations;
  const Calls calls = group(prepared.calls, allocations);
  std::vector<Trial> trials;
  for (const Fault& fault : kFaults) {
    const std::string operation = kOperationNames[static_cast<int>(fault.operation)];
    const Rng rng = Rng(seed).fork(prepared.scenario->name + operation + fault.name);
    if (is_memory(fault.operation)) {
      Rng numbers = rng;
      for (int64_t i = 0; i < 4 * each && allocations[operation] > 0; ++i)
        trials.push_back(
            {&fault, 1 + static_cast<int64_t>(numbers.below(static_cast<uint64_t>(allocations[operation]))), "-"});
    }
    for (const auto& [key, numbers] : calls)
      if (key.first == operation)
        for (const int64_t number : pick(numbers, each, rng.fork(key.second)))
          trials.push_back({&fault, number, key.second});
  }
  return trials;
}

}  // namespace avs::faults
