#include <map>
#include <nlohmann/json.hpp>

#include "lib/bundle/encodings.h"
#include "lib/ir/text.h"
#include "lib/runtime/executor.h"
#include "lib/runtime/sizes.h"
#include "passes/manager.h"
#include "tools/command.h"
#include "tools/device_choice.h"

namespace onecard {

namespace {

using nlohmann::ordered_json;

struct InspectFlags {
  std::string model, memory_limit;
  bool graph = false, plan = false, memory = false, weights = false;
  OutputOptions output;
  SourceOptions source;
  DeviceOptions device;
  SizeOptions sizes;
};

const char* kind_text(BufferKind kind) {
  switch (kind) {
    case BufferKind::arena: return "arena";
    case BufferKind::input: return "input";
    case BufferKind::output: return "output";
    case BufferKind::weight: return "weight";
    case BufferKind::pool: return "pool";
  }
  return "";
}

void add_plan(const Plan& plan, ordered_json& j) {
  j["arena_bytes"] = plan.arena_bytes;
  j["arena_lower_bound_bytes"] = plan.arena_lower_bound_bytes;
  j["buffers"] = ordered_json::array();
  j["steps"] = ordered_json::array();
  for (const Buffer& b : plan.buffers)
    j["buffers"].push_back({{"value", b.value},
                            {"kind", kind_text(b.kind)},
                            {"bytes", b.bytes},
                            {"padding_bytes", b.padding_bytes},
                            {"first", b.first},
                            {"last", b.last},
                            {"offset", b.offset},
                            {"alias_of", b.alias_of}});
  for (const PlanStep& s : plan.steps) {
    ordered_json step = {{"kernel", s.kernel},
                         {"node", s.node ? s.node->name : ""},
                         {"op", s.node ? std::string(s.node->op->name()) : "reorder"},
                         {"in", s.in},
                         {"out", s.out},
                         {"workspace", s.workspace}};
    if (s.recomputed) step["recomputed"] = true;
    if (s.dynamic) step["dynamic"] = true;
    if (!s.why_not.empty()) step["why_not"] = s.why_not;
    j["steps"].push_back(std::move(step));
  }
}

// Constants as they lie in the bundle, with the names that the graph gives them.
void add_weights(const Network& network, Output& output, ordered_json& j) {
  std::vector<std::vector<std::string>> rows{{"constant", "type", "encoding", "stored bytes", "bytes"}};
  j["weights"] = ordered_json::array();
  const auto add = [&](const std::string& name, const std::string& type, const std::string& encoding, int64_t stored, int64_t plain) {
    j["weights"].push_back({{"name", name}, {"type", type}, {"encoding", encoding}, {"stored_bytes", stored}, {"bytes", plain}});
    rows.push_back({name, type, encoding, std::to_string(stored), std::to_string(plain)});
  };
  if (network.bundle) {
    const auto& constants = network.bundle->constants();
    for (size_t i = 0; i < constants.size(); ++i) {
      const StoredConstant& c = constants[i];
      add("#" + std::to_string(i), c.type.text(), encoding_name(c.encoding), c.stored_bytes(),
          c.type.dtype == DType::string ? c.stored_bytes() : c.type.bytes());
    }
  } else {
    for (const Value& v : network.graph->values())
      if (v.constant && v.constant->type().container == Container::tensor)
        add(v.name, v.type.text(), "onnx", v.constant->bytes(), v.constant->bytes());
  }
  output.line(table_text(rows));
}

void add_summary(const Network& network, const Path& path, Output& output, ordered_json& j) {
  const Graph& g = *network.graph;
  std::map<std::string, int64_t> ops;
  for (const Node& n : g.nodes()) ++ops[std::string(n.op->name())];
  j["kind"] = network.bundle ? "bundle" : "onnx";
  j["file_bytes"] = static_cast<int64_t>(std::filesystem::file_size(path));
  j["nodes"] = g.nodes().size();
  j["weight_bytes"] = constant_bytes(g);
  j["inputs"] = ordered_json::array();
  j["outputs"] = ordered_json::array();
  for (const Value* v : g.inputs) j["inputs"].push_back({{"name", v->name}, {"type", v->type.text()}});
  for (const Value* v : g.outputs) j["outputs"].push_back({{"name", v->name}, {"type", v->type.text()}});
  j["ops"] = ordered_json::object();
  for (const auto& [op, count] : ops) j["ops"][op] = count;
  if (network.bundle) {
    const ordered_json manifest = ordered_json::parse(network.bundle->manifest(), nullptr, false);
    require(!manifest.is_discarded(), ErrorKind::io, "the manifest is no JSON");
    j["manifest"] = manifest;
    j["self_check"] = network.bundle->self_check().has_value();
  }
  output.line(std::string(network.bundle ? "bundle " : "ONNX model ") + path.filename().string() + ", " + bytes_text(j["file_bytes"].get<int64_t>()) +
              ", " + std::to_string(g.nodes().size()) + " nodes, weights " + bytes_text(j["weight_bytes"].get<int64_t>()));
  for (const Value* v : g.inputs) output.line("  input   " + v->name + "  " + v->type.text());
  for (const Value* v : g.outputs) output.line("  output  " + v->name + "  " + v->type.text());
  for (const auto& [op, count] : ops) output.line("  " + std::to_string(count) + " x " + op);
  if (network.bundle) output.line("manifest " + network.bundle->manifest());
}

int run(const InspectFlags& o, const OpenNetwork& open) {
  Output output(o.output);
  const bool planned = o.plan || o.memory;
  require(planned || (o.memory_limit.empty() && o.sizes.dims.empty()), ErrorKind::usage, "--memory-limit and --dim need --plan or --memory");
  const auto shapes = shapes_of(o.sizes);
  const auto dims = dims_of(o.sizes);
  std::unique_ptr<Device> device;
  if (planned) device = choose_device(o.device, output);
  std::optional<int64_t> limit;
  if (!o.memory_limit.empty()) limit = parse_size(o.memory_limit, "--memory-limit", device->memory_bytes());
  const Network network = open({o.model, planned ? Form::ready_to_run : Form::as_written, CheckWeights::never, shapes, external_roots_of(o.source)});
  ordered_json j;
  if (!planned && !o.graph && !o.weights) add_summary(network, o.model, output, j);
  if (o.graph) {
    const std::string text = to_text(*network.graph);
    j["graph"] = text;
    output.line(text);
  }
  if (o.weights) add_weights(network, output, j);
  if (planned) {
    const ChosenSizes sizes = choose_sizes(*network.graph, dims, shapes);
    Executor executor(network.graph, *device, {limit});
    const Plan& plan = executor.prepare(sizes.inputs);
    if (o.plan) {
      add_plan(plan, j);
      output.line(to_text(plan));
    }
    j["device"] = device->name();
    j["sizes"] = sizes.text();
    j["memory"] = memory_json(plan.memory, limit);
    output.line("memory on " + device->name() + (sizes.text().empty() ? "" : " at " + sizes.text()) + ": " + memory_text(plan.memory));
  }
  output.object(j);
  output.line("inspect: OK " + o.model);
  return 0;
}

}  // namespace

Action set_up_inspect(Flags& flags, const OpenNetwork& open) {
  auto o = std::make_shared<InspectFlags>();
  flags.add_required("MODEL", o->model, "the model or bundle");
  flags.add_flag("--graph", o->graph, "the network as text");
  flags.add_flag("--plan", o->plan, "steps, kernels and buffers for the sizes given");
  flags.add_flag("--memory", o->memory, "what a run needs at the sizes given");
  flags.add_flag("--weights", o->weights, "type, encoding and size of every constant");
  flags.add_option("--memory-limit", o->memory_limit, "plan under this limit");
  add_options(flags, o->source);
  add_options(flags, o->sizes);
  add_options(flags, o->device);
  add_options(flags, o->output);
  flags.footer("Reads no weights. Example:\n  onecard inspect resnet50.onecard --plan --dim batch=4 --json");
  return [o, open] { return run(*o, open); };
}

}  // namespace onecard
