#include "tools/command.h"
#include "tools/waiting.h"

int main(int argc, char** argv) {
  using namespace onecard;
  bound_waiting(argv);
  static constexpr Command kCommands[] = {
      {"run", "run samples through a bundle and compare with known answers", set_up_run},
      {"bench", "measure how long a run takes", set_up_bench},
      {"inspect", "print what is in a bundle", set_up_inspect},
  };
  return run_program(argc, argv, "onecard-run", "Runs bundles made by `onecard optimize`.", kCommands, open_bundle);
}
