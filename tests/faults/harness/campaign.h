// Runs many trials in two processes, and makes their table.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/faults/harness/trial.h"

namespace avs::faults {

// Makes a workplace's folders and removes them.
class TemporaryWorkplace {
 public:
  explicit TemporaryWorkplace(const std::filesystem::path& within);
  ~TemporaryWorkplace();
  TemporaryWorkplace(const TemporaryWorkplace&) = delete;
  TemporaryWorkplace& operator=(const TemporaryWorkplace&) = delete;
  const Workplace& place() const { return place_; }

 private:
  std::filesystem::path root_;
  Workplace place_;
};

// Counts outcomes per row of the table.
class Tally {
 public:
  void add(const std::string& row, const Result& result);
  int64_t trials() const;
  int64_t broken() const;
  // A Markdown table; rows in order of first appearance.
  std::string table(const std::string& title) const;
  // "libdnnl.so.3 12, libsoxr.so.0 3"; "none" without any.
  std::string libraries() const;

 private:
  std::vector<std::string> rows_;
  std::map<std::string, std::map<Outcome, int64_t>> counts_;
  std::map<std::string, int64_t> libraries_;
};

struct CampaignOptions {
  std::vector<std::string> only = {};  // programs or scenarios; empty: all
  std::string trial = {};              // run only this one: "rename kill 3"
  int64_t each = 2;                    // number of calls per fault and class of paths
  uint64_t seed = 1;
  int processes = 2;
  std::filesystem::path folder;  // for the workplaces
};

struct Campaign {
  Tally by_scenario, by_fault;
  double seconds = 0;
};

// say: receives progress and failures, piece by piece.
Campaign run_campaign(const CampaignOptions& options, const std::function<void(const std::string&)>& say);

}  // namespace avs::faults
