#include <nlohmann/json.hpp>

#include "lib/onnx/import.h"
#include "tools/command.h"
#include "tools/output.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;

struct CheckFlags {
  std::string model;
  SourceOptions source;
  OutputOptions output;
  SizeOptions sizes;
};

int run(const CheckFlags& o) {
  Output output(o.output);
  require(!names_bundle(o.model), ErrorKind::usage, "'", o.model, "' is a bundle; check takes an ONNX model");
  ImportOptions options;
  options.shapes = shapes_of(o.sizes);
  options.allowed_external_roots = external_roots_of(o.source);
  const auto unsupported = find_unsupported(o.model, options);
  ordered_json j = {{"pass", unsupported.empty()}, {"unsupported", ordered_json::array()}};
  int64_t nodes = 0;
  for (const Unsupported& u : unsupported) {
    nodes += u.count;
    j["unsupported"].push_back(
        {{"domain", u.domain}, {"op_type", u.op_type}, {"opset", u.opset}, {"count", u.count}, {"nodes", u.node_names}, {"reason", u.reason}});
    output.line(to_text(u));
  }
  if (unsupported.empty()) j["nodes"] = import_onnx(o.model, options).nodes().size();  // what else may be wrong raises here
  output.object(j);
  if (unsupported.empty()) output.line("check: OK " + o.model);
  else output.line("check: FAIL " + std::to_string(nodes) + (nodes == 1 ? " node is" : " nodes are") + " not supported");
  return unsupported.empty() ? 0 : static_cast<int>(ErrorKind::model);
}

}  // namespace

Action set_up_check(Flags& flags, const OpenNetwork&) {
  auto o = std::make_shared<CheckFlags>();
  flags.add_required("MODEL", o->model, "the .onnx file");
  add_options(flags, o->source);
  flags.add_list("--shape", o->sizes.shapes, "NAME:1x3x224x224 fixes an input's shape; repeatable");
  add_options(flags, o->output);
  flags.footer("Exit 3 when nodes are not supported, all of them listed.\nExample:\n  onecard check resnet50.onnx");
  return [o] { return run(*o); };
}

}  // namespace onecard
