// faults: runs every fault on every program (docs/reliability.md). Progress and failures go to stderr, tables to
// stdout; exit 1 if a promise was broken.
#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

#include "apps/cli/program.h"
#include "tensor/require.h"
#include "tests/faults/harness/campaign.h"

namespace avs::faults {
namespace {

struct Arguments {
  CampaignOptions campaign{.folder = std::filesystem::temp_directory_path()};
  std::string page;
};

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "an unknown processor";
}

std::string report_of(const Campaign& campaign, const Arguments& arguments) {
  return fmt::format(
      "{} trials (seed {}, up to {} calls of every fault and class of paths) in {:.0f} minutes, two at once, on {} ({} "
      "cores): {} broken.\nCrashes in libraries that do not check an allocation: {}.\n\n{}\n{}",
      campaign.by_scenario.trials(), arguments.campaign.seed, arguments.campaign.each, campaign.seconds / 60,
      processor(), std::thread::hardware_concurrency(), campaign.by_scenario.broken(), campaign.by_scenario.libraries(),
      campaign.by_scenario.table("program"), campaign.by_fault.table("fault"));
}

// Replaces the text between the page's two marks by the report.
void write_into_page(const std::string& page, const std::string& report) {
  const std::string first = "<!-- made by ./run faults -->\n", last = "<!-- end -->\n";
  std::ifstream in(page);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const size_t begin = text.find(first), end = text.find(last);
  require<DataError>(begin != std::string::npos && end != std::string::npos, page, ": holds no place for the table");
  text.replace(begin + first.size(), end - begin - first.size(), "\n" + report + "\n");
  std::ofstream(page) << text;
}

void run_all(const Arguments& arguments) {
  const Campaign campaign =
      run_campaign(arguments.campaign, [](const std::string& text) { std::cerr << text << std::flush; });
  const std::string report = report_of(campaign, arguments);
  std::cout << report;
  if (!arguments.page.empty()) write_into_page(arguments.page, report);
  require<Error>(campaign.by_scenario.trials() > 0, "no program or scenario has that name");
  require<Error>(campaign.by_scenario.broken() == 0, campaign.by_scenario.broken(), " of ",
                 campaign.by_scenario.trials(), " trials broke a promise");
}

}  // namespace
}  // namespace avs::faults

int main(int argc, char** argv) {
  avs::Program program("faults", "Kills, errors and short writes at every kind of call of every program",
                       "faults\n"
                       "faults --only prepare --each 10\n"
                       "faults --only 'train_backbone, more epochs' --trial 'rename kill 3'");
  avs::faults::Arguments arguments;
  avs::faults::CampaignOptions& campaign = arguments.campaign;
  avs::Flags& flags = program.flags();
  flags.add("--only", campaign.only, "a program or a scenario; repeatable");
  flags.add("--trial", campaign.trial, "one trial alone, as a report names it");
  flags.add("--each", campaign.each, "calls of every fault and class of paths").within(1, 1000).shows_default();
  flags.add("--seed", campaign.seed, "which calls between the first and the last").shows_default();
  flags.add("--folder", campaign.folder, "where the trials work").shows_default();
  flags.add("--page", arguments.page, "write the tables into this page");
  return program.run(argc, argv, [&] { avs::faults::run_all(arguments); });
}
