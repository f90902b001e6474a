// Many trials on two processes at once, and their table.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/faults/harness/trial.h"

namespace avs::faults {

// Makes its folders, and removes them.
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

// Counts of outcomes by a row's name.
class Tally {
 public:
  void add(const std::string& row, const Result& result);
  int64_t trials() const;
  int64_t broken() const;
  // Markdown, rows in the order in which they came.
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
  std::string trial = {};              // "rename kill 3": this one alone
  int64_t each = 2;                    // calls of every fault and class of paths
  uint64_t seed = 1;
  int processes = 2;
  std::filesystem::path folder;  // where they work
};

struct Campaign {
  Tally by_scenario, by_fault;
  double seconds = 0;
};

// say: progress and what broke, a piece at a time.
Campaign run_campaign(const CampaignOptions& options, const std::function<void(const std::string&)>& say);

}  // namespace avs::faults
