#include "tools/command.h"
#include "tools/model_file.h"
#include "tools/waiting.h"

int main(int argc, char** argv) {
  using namespace onecard;
  bound_waiting(argv);
  static constexpr Command kCommands[] = {
      {"optimize", "turn an ONNX model into one compressed, verified bundle", set_up_optimize},
      {"run", "run samples through a model or bundle and compare with known answers", set_up_run},
      {"diff-accuracy", "compare a model or bundle with a reference over the same samples", set_up_diff_accuracy},
      {"bench", "measure how long a run takes", set_up_bench},
      {"inspect", "print what is in a model or bundle", set_up_inspect},
      {"check", "say whether an ONNX model can be imported, and if not, why", set_up_check},
      {"export", "write a bundle as standard ONNX", set_up_export},
      {"passes", "list the passes", set_up_passes},
      {"ops", "list the ONNX operators", set_up_ops},
      {"devices", "list the devices and why one cannot be used", set_up_devices},
  };
  return run_program(argc, argv, "onecard", "Turns any ONNX model into one compressed bundle that runs and is verified on one device.", kCommands,
                     open_model);
}
