#pragma once
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/bundle/bundle.h"
#include "lib/ir/graph.h"
#include "tools/flags.h"

namespace onecard {

enum class Form { as_written, ready_to_run /* after the passes that `optimize` runs without further flags */ };

struct OpenRequest {
  Path path;
  Form form = Form::ready_to_run;  // of an ONNX model; a bundle is what it is
  CheckWeights check = CheckWeights::now;
  std::map<std::string, Dims> shapes;  // of --shape
  std::vector<Path> external_roots;    // of --allow-external-root
};
struct Network {
  GraphPtr graph;
  std::shared_ptr<const Bundle> bundle;  // null for an ONNX model
};
// How a program reads the MODEL argument: the small runner knows bundles only.
using OpenNetwork = std::function<Network(const OpenRequest&)>;

// Whether the argument is to be read as a bundle: by its name, else by its first bytes. Raises io when it cannot be read.
bool names_bundle(const Path& path);
// Opens a bundle; raises io when it is none.
Network open_bundle(const OpenRequest& request);

// What a subcommand does once its flags are parsed; the exit code.
using Action = std::function<int()>;
struct Command {
  const char* name;
  const char* summary;
  Action (*set_up)(Flags& flags, const OpenNetwork& open);  // adds the flags
};

Action set_up_run(Flags& flags, const OpenNetwork& open);
Action set_up_bench(Flags& flags, const OpenNetwork& open);
Action set_up_inspect(Flags& flags, const OpenNetwork& open);
Action set_up_optimize(Flags& flags, const OpenNetwork& open);
Action set_up_diff_accuracy(Flags& flags, const OpenNetwork& open);
Action set_up_check(Flags& flags, const OpenNetwork& open);
Action set_up_export(Flags& flags, const OpenNetwork& open);
Action set_up_passes(Flags& flags, const OpenNetwork& open);
Action set_up_ops(Flags& flags, const OpenNetwork& open);
Action set_up_devices(Flags& flags, const OpenNetwork& open);

// Parses the command line, runs one command and turns every error into its exit code and one sentence: the only catch of a program.
int run_program(int argc, char** argv, const char* name, const char* summary, std::span<const Command> commands, const OpenNetwork& open);

}  // namespace onecard
