// parity_check FOLDER [--mistakes] [--write FOLDER]: compares this engine with the cases of FOLDER, which
// tests/parity/peers made, and prints the table of docs/parity.md, one line per row with its worst case; exit 1 if one
// exceeds its tolerance. --mistakes also plants every mistake and prints the case that caught it; exit 1 if one is
// missed. --write saves each network as a checkpoint with its outputs, for peers/read_back.py.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "apps/cli/program.h"
#include "tests/parity/check/kinds.h"
#include "tests/parity/check/planted.h"

namespace avs::parity {
namespace {

struct Row {
  std::string name, peers;
  int cases = 0, numbers = 0;
  Difference worst;
  std::string worst_case;
  int over = 0;
};

Row& row_of(std::vector<Row>& rows, const std::string& name) {
  for (Row& row : rows)
    if (row.name == name) return row;
  rows.emplace_back().name = name;
  return rows.back();
}

std::vector<Row> measure(const std::vector<Case>& cases) {
  std::vector<Row> rows;
  for (const Case& c : cases) {
    const std::vector<Difference> all = differences(c, answer(c));
    Row& row = row_of(rows, c.row);
    if (row.peers.find(c.peer) == std::string::npos) row.peers += (row.peers.empty() ? "" : "; ") + c.peer;
    ++row.cases;
    row.numbers += static_cast<int>(all.size());
    for (const Difference& d : all)
      if (d.is_over()) {
        ++row.over;
        std::cerr << fmt::format("over: {} {}: {:.3g} > {:.3g}\n", c.name, d.output, d.error, d.tolerance);
      }
    const Difference here = worst(all);
    if (row.worst_case.empty() || here.share() > row.worst.share()) {
      row.worst = here;
      row.worst_case = c.name + ": " + here.output;
    }
  }
  return rows;
}

bool print_rows(const std::vector<Row>& rows) {
  std::cout << "| row | against | cases | tensors | worst relative error | where | allowed | share "
               "|\n|---|---|---|---|---|---|---|---|\n";
  bool all_within = true;
  for (const Row& row : rows) {
    std::cout << fmt::format("| {} | {} | {} | {} | {:.1e}{} | `{}` | {:.1e} | {:.2f} |\n", row.name, row.peers,
                             row.cases, row.numbers, row.worst.error, row.over > 0 ? " **over**" : "", row.worst_case,
                             row.worst.tolerance, row.worst.share());
    all_within = all_within && row.over == 0;
  }
  return all_within;
}

bool print_mistakes(const std::vector<Case>& cases) {
  std::cout << "\n| row | planted mistake | caught | clearest in | error | allowed |\n|---|---|---|---|---|---|\n";
  bool all_caught = true;
  for (const Mistake& mistake : mistakes()) {
    const Catch caught = catch_of(mistake, cases);
    if (caught.cases == 0) continue;  // a subset of the cases can plant only a subset of the mistakes
    std::cout << fmt::format("| {} | {}: {} | {} of {} | `{}` | {:.1e} | {:.1e} |\n", mistake.row, mistake.name,
                             mistake.what, caught.caught, caught.cases, caught.by, caught.error, caught.tolerance);
    all_caught = all_caught && caught.caught > 0;
  }
  return all_caught;
}

// Writes network-N.safetensors, in the format of train_backbone, and answers-N.safetensors.
void write_networks(const std::vector<Case>& cases, const std::filesystem::path& folder) {
  int number = 0;
  for (const Case& c : cases) {
    if (c.kind != "network") continue;
    const std::unique_ptr<Backbone> net = network_of(c);
    Checkpoint checkpoint, answers;
    store_parameters(*net, checkpoint);
    checkpoint.metadata[kBackboneKey] = to_json(net->options());
    net->eval();
    const NoGrad inference;
    const BackboneOutput output = net->run(c.input("x"));
    answers.tensors = {{"x", c.input("x")}, {"pool", output.pool.value()}, {"logits", output.logits.value()}};
    answers.metadata = {{"case", c.name}, {"peer", c.peer}};
    checkpoint.save(folder / fmt::format("network-{}.safetensors", number));
    answers.save(folder / fmt::format("answers-{}.safetensors", number++));
  }
}

struct Arguments {
  std::string folder, write_to;
  bool with_mistakes = false;
};

bool run(const Arguments& arguments) {
  const std::vector<Case> cases = load_all_cases(arguments.folder);
  bool good = print_rows(measure(cases));
  if (!arguments.write_to.empty()) write_networks(cases, arguments.write_to);
  if (arguments.with_mistakes && !print_mistakes(cases)) {
    std::cerr << "a planted mistake went unnoticed\n";
    good = false;
  }
  return good;
}

}  // namespace
}  // namespace avs::parity

int main(int argc, char** argv) {
  avs::Program program("parity_check", "Holds this engine against cases that its peers made",
                       "parity_check build/parity/cases --mistakes");
  avs::parity::Arguments arguments;
  program.flags().add("folder", arguments.folder, "of the cases").required();
  program.flags().add("--mistakes", arguments.with_mistakes, "plant every mistake and see that it is caught");
  program.flags().add("--write", arguments.write_to, "a folder for the networks and their answers");
  bool good = false;
  const int code = program.run(argc, argv, [&] { good = avs::parity::run(arguments); });
  return code != 0 ? code : good ? 0 : 1;
}
