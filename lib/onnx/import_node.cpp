#include "lib/onnx/importer.h"

namespace onecard {

namespace {

constexpr int64_t kMaxNodes = 1'000'000;              // of one model, functions and subgraphs counted each time

std::string described(const onnx::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return "node '" + name + "' (" + node.op_type() + ")";
}

// Files of IR version 1 may leave the type of an attribute out.
onnx::AttributeProto::AttributeType kind_of(const onnx::AttributeProto& a) {
  using A = onnx::AttributeProto;
  if (a.type() != A::UNDEFINED) return a.type();
  if (a.has_f()) return A::FLOAT;
  if (a.has_i()) return A::INT;
  if (a.has_s()) return A::STRING;
  if (a.has_t()) return A::TENSOR;
  if (a.has_g()) return A::GRAPH;
  if (a.floats_size() > 0) return A::FLOATS;
  if (a.ints_size() > 0) return A::INTS;
  if (a.strings_size() > 0) return A::STRINGS;
  return A::UNDEFINED;
}

Dim declared_extent(const onnx::TensorShapeProto::Dimension& dim, int64_t) { return dim.has_dim_value() ? Dim(dim.dim_value()) : Dim::unknown(); }

}  // namespace

// The attribute as ops read it; graphs are imported apart. A type (of Optional) becomes its text.
std::optional<OnnxAttribute> Importer::attribute(const onnx::AttributeProto& a) {
  using A = onnx::AttributeProto;
  switch (kind_of(a)) {
    case A::FLOAT: return OnnxAttribute(a.f());
    case A::INT: return OnnxAttribute(int64_t{a.i()});
    case A::STRING: return OnnxAttribute(a.s());
    case A::TENSOR: return OnnxAttribute(model_.weights.of(a.t()));
    case A::SPARSE_TENSOR: return OnnxAttribute(model_.weights.of(a.sparse_tensor()));
    case A::FLOATS: return OnnxAttribute(std::vector<float>(a.floats().begin(), a.floats().end()));
    case A::INTS: return OnnxAttribute(std::vector<int64_t>(a.ints().begin(), a.ints().end()));
    case A::STRINGS: return OnnxAttribute(std::vector<std::string>(a.strings().begin(), a.strings().end()));
    case A::TYPE_PROTO: return OnnxAttribute(type_from_proto(a.tp(), declared_extent).text());
    case A::GRAPH: return std::nullopt;
    default: fail(ErrorKind::model, "attribute '", a.name(), "' has a type that is not supported");
  }
}

// Inside a function an attribute may stand for one of the call's; null when the call has none.
BoundAttribute Importer::resolve(Scope& scope, const onnx::AttributeProto& a) const {
  if (a.ref_attr_name().empty() || !scope.frame().is_call) return {&a, &scope};
  const auto found = scope.frame().attributes.find(a.ref_attr_name());
  return found == scope.frame().attributes.end() ? BoundAttribute{} : found->second;
}

void Importer::add_node(Scope& scope, const onnx::NodeProto& node) {
  ErrorScope where(described(node));
  require(++nodes_ <= kMaxNodes, ErrorKind::model, "the model has more than ", kMaxNodes, " nodes, its functions and subgraphs expanded");
  const Resolution how = operators_.resolve(node, scope.frame().opsets);
  if (!problem_ || expanding_ > 0) return import_node(scope, node, how);
  try {
    return import_node(scope, node, how);
  } catch (const UnknownValue&) {
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    // ": node 'x' (Y)" of a definition that was expanded; elsewhere only the name that the node has anyway
    const std::string inside = e.where.substr(std::min(ErrorScope::text().size(), e.where.size()));
    problem_(node, scope.frame().opsets, how.schema && inside.starts_with(": ") ? inside.substr(2) + ": " + e.message : e.message);
  }
  for (const auto& output : node.output())
    if (!output.empty()) scope.bind_unknown(output);
}

void Importer::import_node(Scope& scope, const onnx::NodeProto& node, const Resolution& how) {
  if (how.function) call(scope, node, *how.function, nullptr);
  else if (how.importer) add_operator(scope, node, *how.importer);
  else if (how.schema) call_schema(scope, node, *how.schema);
  else fail(ErrorKind::model, "the operator is not supported");
}

void Importer::add_operator(Scope& scope, const onnx::NodeProto& proto, const OnnxImporter& importer) {
  OnnxNode node;
  node.op_type = proto.op_type();
  node.domain = standard_domain(proto.domain());
  node.opset = opset_of(proto, scope.frame().opsets);
  node.graph = &scope.graph();
  const std::string& own = proto.name().empty() && proto.output_size() > 0 ? proto.output(0) : proto.name();
  node.name = scope.frame().prefix + own;
  for (const auto& input : proto.input()) node.inputs.push_back(scope.lookup(input));
  for (const auto& output : proto.output()) node.outputs.push_back(output.empty() ? "" : scope.frame().prefix + output);
  std::vector<Body> bodies;
  for (const auto& a : proto.attribute()) {
    const BoundAttribute bound = resolve(scope, a);
    if (!bound.proto) continue;
    if (kind_of(*bound.proto) == onnx::AttributeProto::GRAPH) {
      const bool here = bound.scope && &bound.scope->graph() == &scope.graph();
      require(here, ErrorKind::model, "attribute '", a.name(), "': a graph handed to a function is used inside another subgraph, which is not supported");
      bodies.push_back(import_body(*bound.scope, a.name(), bound.proto->g(), node.inputs));
    } else if (auto value = attribute(*bound.proto)) {
      require(node.attributes.emplace(a.name(), std::move(*value)).second, ErrorKind::model, "attribute '", a.name(), "' is given twice");
    }
  }
  finish_bodies(bodies, node);
  const std::vector<Value*> values = importer.from_onnx(node);
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i].empty()) continue;
    const std::string& name = proto.output(static_cast<int>(i));
    if (i < values.size() && values[i]) scope.bind(name, values[i]);
    else scope.bind_missing(name, "output " + std::to_string(i) + " of " + described(proto) + " is not supported");
  }
}

}  // namespace onecard
