// demo_report: writes the table, results.json, results.svg and report.html of ./run demo (input: apps/demo/demo_page.h).
#include <fmt/format.h>

#include <iostream>

#include "apps/cli/program.h"
#include "apps/demo/demo_page.h"
#include "models/file.h"

namespace {

struct Arguments {
  std::filesystem::path out;
  double seconds = 0;
  bool only_method = false;
};

void run(const Arguments& arguments) {
  using namespace avs;
  if (arguments.only_method) {
    std::cout << demo::best_method(arguments.out) << "\n";
    return;
  }
  const demo::DemoResults results = demo::evaluate_demo(arguments.out);
  write_text(arguments.out / "results.json", demo::demo_json(results, arguments.seconds));
  write_text(arguments.out / "results.svg", demo::demo_picture(results));
  write_text(arguments.out / "report.html", demo::demo_page(results, arguments.out, arguments.seconds));
  std::cout << demo::demo_table(results)
            << fmt::format("\naudio only {:.1f} %, visual only {:.1f} %, both {:.1f} % of {} test clips ({})\n",
                           100 * results.audio.micro_accuracy, 100 * results.visual.micro_accuracy,
                           100 * results.both().micro_accuracy, results.both().clips, results.method);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  avs::Program program(
      "demo_report", "The demo's last step: its table on stdout, OUT/results.json, OUT/results.svg and OUT/report.html",
      "demo_report --out build/demo --seconds 600\n"
      "demo_report --out build/demo --best-method");
  program.flags().add("--out", arguments.out, "The demo's folder").required();
  program.flags().add("--seconds", arguments.seconds, "What the stages before took, for the report");
  program.flags().add("--best-method", arguments.only_method,
                      "Only print which of f1 … f6 did best on the validation split");
  return program.run(argc, argv, [&] { run(arguments); });
}
