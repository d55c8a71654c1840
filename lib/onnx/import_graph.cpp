#include <algorithm>

#include "lib/onnx/importer.h"
#include "lib/ops/body_types.h"
#include "lib/ops/unary.h"

namespace onecard {

namespace {

constexpr size_t kMaxListed = 50;  // unsupported operators named in one message

void check_supported(const LoadedModel& model) {
  const auto unsupported = find_unsupported(model);
  if (unsupported.empty()) return;
  int64_t nodes = 0;
  std::string list;
  for (size_t i = 0; i < unsupported.size(); ++i) {
    nodes += unsupported[i].count;
    if (i < kMaxListed) list += (i == 0 ? "" : "; ") + to_text(unsupported[i]);
  }
  if (unsupported.size() > kMaxListed) list += "; and " + std::to_string(unsupported.size() - kMaxListed) + " more operators";
  fail(ErrorKind::model, nodes, nodes == 1 ? " node is" : " nodes are", " not supported: ", list);
}

}  // namespace

Graph import_onnx(const Path& path, const ImportOptions& options) {
  ErrorScope scope("importing " + path.filename().string());
  LoadedModel model = load_model(path, options);
  check_supported(model);
  check_model(*model.proto);
  Graph graph = Importer(model, options).run();
  if (options.data_files) *options.data_files = model.weights.data_files();
  return graph;
}

Graph Importer::run() {
  Graph graph;
  const onnx::GraphProto& proto = model_.proto->graph();
  graph.name = proto.name();
  Frame frame;
  frame.opsets = model_.opsets;
  Scope scope(graph, frame, nullptr);
  add_initializers(scope, proto, {});
  add_inputs(scope, proto);
  add_nodes(scope, proto.node());
  add_outputs(scope, proto);
  const bool holds_bodies = std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& n) { return !n.op->subgraphs().empty(); });
  if (!holds_bodies) return graph;
  std::vector<TensorType> inputs;
  for (const Value* v : graph.inputs) inputs.push_back(v->type);
  return retyped(graph, inputs);
}

void Importer::collect(Problem problem) {
  problem_ = std::move(problem);
  try {
    run();
  } catch (const UnknownValue&) {  // an output that a node with a problem should have made
  }
}

// Distinct texts get distinct symbols, whatever characters a symbol allows.
std::string Importer::symbol_for(const std::string& key, const std::string& wanted) {
  const auto [entry, added] = symbols_.emplace(key, std::string());
  if (!added) return entry->second;
  const std::string legal = symbol_name(wanted);
  std::string symbol = legal;
  for (int i = 2; !symbols_taken_.insert(symbol).second; ++i) symbol = legal + "_" + std::to_string(i);
  return entry->second = symbol;
}

Dim Importer::input_dim(const std::string& input, const onnx::TensorShapeProto::Dimension& dim, int64_t axis) {
  if (dim.has_dim_value()) {
    require(dim.dim_value() >= 0, ErrorKind::model, "axis ", axis, " has the extent ", dim.dim_value());
    return Dim(dim.dim_value());
  }
  if (!dim.dim_param().empty()) return Dim::symbol(symbol_for("named " + dim.dim_param(), dim.dim_param()));
  const std::string own = input + "_" + std::to_string(axis);
  return Dim::symbol(symbol_for("nameless " + own, own));
}

// Numbers given for symbols hold in every input that has them.
void Importer::fix_shape(TensorType& type, const std::string& input, const Dims& wanted, SymbolValues& fixed) const {
  require(type.container == Container::tensor, ErrorKind::usage, "input '", input, "' is no tensor, its shape cannot be given");
  const bool ranked = type.shape.has_rank();
  const Shape given = Shape::of(wanted);
  require(!ranked || type.shape.rank() == given.rank(), ErrorKind::usage, "the shape given for '", input, "' is ", given, ", the model wants ",
          type.shape);
  for (int64_t axis = 0; axis < given.rank(); ++axis) {
    const int64_t number = wanted[static_cast<size_t>(axis)];
    require(number >= 0, ErrorKind::usage, "the shape given for '", input, "' is ", given);
    if (!ranked) continue;
    const Dim& declared = type.shape[axis];
    require(!declared.is_number() || declared.number() == number, ErrorKind::usage, "the shape given for '", input, "' is ", given,
            ", the model wants ", type.shape);
    for (const auto& symbol : declared.symbols()) {
      const auto [entry, added] = fixed.emplace(symbol, number);
      require(added || entry->second == number, ErrorKind::usage, "the shapes given make '", symbol, "' both ", entry->second, " and ", number);
    }
  }
  type.shape = given;
}

TensorType Importer::input_type(const onnx::ValueInfoProto& input, SymbolValues& fixed) {
  ErrorScope scope("input '" + input.name() + "'");
  TensorType type = type_from_proto(input.type(), [&](const auto& dim, int64_t axis) { return input_dim(input.name(), dim, axis); });
  if (const auto wanted = options_.shapes.find(input.name()); wanted != options_.shapes.end()) fix_shape(type, input.name(), wanted->second, fixed);
  return type;
}

// Inputs that have an initializer are constants: their values come with the model.
void Importer::add_inputs(Scope& scope, const onnx::GraphProto& proto) {
  std::set<std::string> initialized, names;
  for (const auto& initializer : proto.initializer()) initialized.insert(initializer.name());
  for (const auto& initializer : proto.sparse_initializer()) initialized.insert(initializer.values().name());
  SymbolValues fixed;
  std::vector<std::pair<std::string, TensorType>> inputs;
  for (const auto& input : proto.input())
    if (!initialized.contains(input.name())) inputs.emplace_back(input.name(), input_type(input, fixed));
  for (auto& [name, type] : inputs) {
    require(!name.empty() && names.insert(name).second, ErrorKind::model, "two inputs are named '", name, "'");
    type.shape = type.shape.bind(fixed);
    Value* v = scope.graph().add_input(name, type);
    v->origin = {name};
    scope.bind_argument(name, v);
  }
  for (const auto& [name, shape] : options_.shapes)
    require(names.contains(name), ErrorKind::usage, "a shape is given for '", name, "', which is no input of the model");
}

void Importer::add_initializers(Scope& scope, const onnx::GraphProto& proto, const std::set<std::string>& formal) {
  const auto add = [&](const std::string& name, ConstTensor tensor) {
    if (formal.contains(name)) return;  // the default of an input that is always given
    require(!name.empty(), ErrorKind::model, "an initializer has no name");
    scope.bind(name, scope.graph().add_constant(scope.graph().unique(name), std::move(tensor)));
  };
  for (const auto& initializer : proto.initializer()) add(initializer.name(), model_.weights.of(initializer));
  for (const auto& initializer : proto.sparse_initializer()) add(initializer.values().name(), model_.weights.of(initializer));
}

void Importer::add_nodes(Scope& scope, const Nodes& nodes) {
  for (const auto& node : nodes) add_node(scope, node);
}

// Outputs keep their names: one that is no value of its own becomes a copy. An input given back under its own name stays what it is.
void Importer::add_outputs(Scope& scope, const onnx::GraphProto& proto) {
  Graph& graph = scope.graph();
  for (const auto& output : proto.output()) {
    ErrorScope where("output '" + output.name() + "'");
    Value* v = scope.lookup(output.name());
    require(v != nullptr, ErrorKind::model, "has no value");
    const bool own = v->producer && v->name == output.name() && !graph.is_output(v);
    if (!own && (v->name != output.name() || v->is_constant())) {
      if (v->name == output.name()) graph.rename(v, graph.unique(output.name() + "_constant"));
      const auto copy = std::make_shared<const Unary>(Activation{Fn::identity});
      const std::string name = graph.unique(output.name());
      v = graph.add(copy, {v}, name, {name}).output();
      v->origin = {output.name()};
    }
    graph.outputs.push_back(v);
  }
}

}  // namespace onecard
