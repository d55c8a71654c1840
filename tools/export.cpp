#include "lib/onnx/export.h"

#include <nlohmann/json.hpp>

#include "tools/command.h"
#include "tools/output.h"

namespace onecard {

namespace {

struct ExportFlags {
  std::string bundle, out;
  OutputOptions output;
};

int run(const ExportFlags& o, const OpenNetwork& open) {
  Output output(o.output);
  require(names_bundle(o.bundle), ErrorKind::usage, "'", o.bundle, "' is no bundle; export takes one made by `onecard optimize`");
  std::error_code code;
  const auto status = std::filesystem::status(o.out, code);
  require(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), ErrorKind::usage, "-o ", o.out,
          ": is there and is no regular file");
  require(!std::filesystem::equivalent(o.out, o.bundle, code), ErrorKind::usage, "-o ", o.out, ": is the bundle itself");
  check_writable(o.out, "-o");
  output.progress("exporting", 0);
  const Network network = open({o.bundle, Form::as_written, CheckWeights::now, {}, {}});
  export_onnx(*network.graph, o.out);
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(o.out));
  output.object({{"file", o.out}, {"bytes", bytes}, {"nodes", network.graph->nodes().size()}});
  output.line("export: OK " + o.out + ", " + bytes_text(bytes));
  return 0;
}

}  // namespace

Action set_up_export(Flags& flags, const OpenNetwork& open) {
  auto o = std::make_shared<ExportFlags>();
  flags.add_required("BUNDLE", o->bundle, "the .onecard file");
  flags.add_required("-o,--output", o->out, "the .onnx file to write");
  add_options(flags, o->output);
  flags.footer("Example:\n  onecard export resnet50.onecard -o resnet50-int8.onnx");
  return [o, open] { return run(*o, open); };
}

}  // namespace onecard
