#include "tests/faults/harness/campaign.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>

#include "tensor/error.h"

namespace avs::faults {
namespace {

namespace fs = std::filesystem;

constexpr Outcome kColumns[] = {Outcome::Died,      Outcome::Stopped,   Outcome::WentOn,
                                Outcome::InLibrary, Outcome::Unreached, Outcome::Broken};

fs::path made_within(const fs::path& folder) {
  std::string name = (fs::absolute(folder) / "avscene-faults-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw Error(name + ": cannot be made");
  return fs::canonical(name);
}

bool is_wanted(const Scenario& scenario, const std::vector<std::string>& only) {
  return only.empty() || std::ranges::any_of(only, [&](const std::string& name) {
           return scenario.name == name || scenario.command.starts_with(name + " ");
         });
}

class Record {
 public:
  Record(Campaign& campaign, const std::function<void(const std::string&)>& say) : campaign_(campaign), say_(say) {}

  void say(const std::string& text) {
    const std::lock_guard lock(mutex_);
    say_(text);
  }
  void add(const Scenario& scenario, const Trial& trial, const Result& result) {
    const std::lock_guard lock(mutex_);
    campaign_.by_scenario.add(scenario.name, result);
    campaign_.by_fault.add(trial.name(), result);
    if (result.outcome == Outcome::Broken)
      say_(fmt::format("BROKEN: --only '{}' --trial '{}' ({}): {}\n", scenario.name, trial.text(), trial.path_class,
                       result.complaint));
  }

 private:
  Campaign& campaign_;
  const std::function<void(const std::string&)>& say_;
  std::mutex mutex_;
};

// Runs one process's share: every n-th trial of every scenario.
void work(const CampaignOptions& options, int number, Record& record) {
  const TemporaryWorkplace workplace(options.folder);
  const Tree stage = make_stage(workplace.place());
  for (const Scenario& scenario : scenarios()) {
    if (!is_wanted(scenario, options.only)) continue;
    const auto start = std::chrono::steady_clock::now();
    const Prepared prepared = prepare_scenario(workplace.place(), stage, scenario);
    const std::vector<Trial> trials = options.trial.empty() ? choose_trials(prepared, options.each, options.seed)
                                                            : std::vector{trial_from(options.trial)};
    for (auto i = static_cast<size_t>(number); i < trials.size(); i += static_cast<size_t>(options.processes))
      record.add(scenario, trials[i], run_trial(workplace.place(), prepared, trials[i]));
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (number == 0)
      record.say(fmt::format("{}: {} trials, {:.0f} s\n", scenario.name, trials.size(), seconds.count()));
  }
}

}  // namespace

TemporaryWorkplace::TemporaryWorkplace(const fs::path& within)
    : root_(made_within(within)), place_{root_ / "trial", root_ / "aside"} {
  fs::create_directory(place_.folder);
  fs::create_directory(place_.aside);
}

TemporaryWorkplace::~TemporaryWorkplace() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void Tally::add(const std::string& row, const Result& result) {
  if (!counts_.contains(row)) rows_.push_back(row);
  ++counts_[row][result.outcome];
  if (!result.library.empty()) ++libraries_[result.library];
}

int64_t Tally::trials() const {
  int64_t sum = 0;
  for (const auto& [row, outcomes] : counts_)
    for (const auto& [outcome, count] : outcomes) sum += count;
  return sum;
}

int64_t Tally::broken() const {
  int64_t sum = 0;
  for (const auto& [row, outcomes] : counts_)
    if (const auto found = outcomes.find(Outcome::Broken); found != outcomes.end()) sum += found->second;
  return sum;
}

std::string Tally::table(const std::string& title) const {
  std::string text = "| " + title + " | trials |", rule = "|---|---:|";
  for (const Outcome column : kColumns) {
    text += fmt::format(" {} |", kOutcomeNames[static_cast<int>(column)]);
    rule += "---:|";
  }
  text += "\n" + rule + "\n";
  std::map<Outcome, int64_t> sums;
  const auto add_line = [&text](const std::string& name, std::map<Outcome, int64_t>& outcomes) {
    int64_t trials = 0;
    for (const auto& [outcome, count] : outcomes) trials += count;
    text += fmt::format("| {} | {} |", name, trials);
    for (const Outcome column : kColumns) text += fmt::format(" {} |", outcomes[column]);
    text += "\n";
  };
  for (const std::string& row : rows_) {
    std::map<Outcome, int64_t> outcomes = counts_.at(row);
    for (const auto& [outcome, count] : outcomes) sums[outcome] += count;
    add_line(row, outcomes);
  }
  add_line("all", sums);
  return text;
}

std::string Tally::libraries() const {
  std::string text;
  for (const auto& [library, count] : libraries_)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", library, count);
  return text.empty() ? "none" : text;
}

Campaign run_campaign(const CampaignOptions& options, const std::function<void(const std::string&)>& say) {
  const auto start = std::chrono::steady_clock::now();
  Campaign campaign;
  Record record(campaign, say);
  std::exception_ptr failure;
  std::mutex mutex;
  {
    std::vector<std::jthread> workers;
    for (int number = 0; number < options.processes; ++number)
      workers.emplace_back([&, number] {
        try {
          work(options, number, record);
        } catch (...) {
          const std::lock_guard lock(mutex);
          failure = std::current_exception();
        }
      });
  }
  if (failure) std::rethrow_exception(failure);
  campaign.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return campaign;
}

}  // namespace avs::faults
