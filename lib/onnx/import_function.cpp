#include "lib/onnx/importer.h"

namespace onecard {

// The node's attributes with those that refer to the enclosing call's put in their place.
onnx::NodeProto Importer::with_attributes(Scope& scope, const onnx::NodeProto& node) const {
  onnx::NodeProto result = node;
  result.clear_attribute();
  for (const auto& a : node.attribute()) {
    const BoundAttribute bound = resolve(scope, a);
    if (!bound.proto) continue;
    auto& copy = *result.add_attribute();
    copy = *bound.proto;
    copy.set_name(a.name());
  }
  return result;
}

// Imports the nodes of a function in place of a node that calls it. `schema`: of an operator that the onnx library defines so; it has the defaults.
void Importer::call(Scope& scope, const onnx::NodeProto& node, const onnx::FunctionProto& function, const onnx::OpSchema* schema) {
  DepthGuard guard(depth_);
  Frame frame;
  frame.is_call = true;
  frame.opsets = function_opsets(function, scope.frame().opsets);
  const std::string& own = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  frame.prefix = scope.frame().prefix + own + "/";
  if (schema)
    for (const auto& [name, a] : schema->attributes())
      if (a.default_value.type() != onnx::AttributeProto::UNDEFINED) frame.attributes[name] = {&a.default_value, nullptr};
  for (const auto& a : function.attribute_proto()) frame.attributes[a.name()] = {&a, nullptr};
  for (const auto& a : node.attribute()) {
    const BoundAttribute bound = resolve(scope, a);
    if (bound.proto) frame.attributes[a.name()] = bound;
  }
  require(node.input_size() <= function.input_size(), ErrorKind::model, "has ", node.input_size(), " inputs, the function takes ", function.input_size());
  require(node.output_size() <= function.output_size(), ErrorKind::model, "has ", node.output_size(), " outputs, the function gives ", function.output_size());
  Scope inner(scope.graph(), frame, nullptr);
  for (int i = 0; i < function.input_size(); ++i) {
    Value* v = i < node.input_size() ? scope.lookup(node.input(i)) : nullptr;
    inner.bind_argument(function.input(i), v);
  }
  add_nodes(inner, function.node());
  for (int i = 0; i < node.output_size(); ++i) {
    if (node.output(i).empty()) continue;
    Value* v = inner.lookup(function.output(i));
    require(v != nullptr, ErrorKind::model, "the function's output '", function.output(i), "' has no value");
    scope.bind(node.output(i), v);
  }
}

// An operator without an importer, expanded from the definition that the onnx library gives it.
void Importer::call_schema(Scope& scope, const onnx::NodeProto& node, const onnx::OpSchema& schema) {
  const int64_t opset = opset_of(node, scope.frame().opsets);
  struct Expanding {
    int& depth;
    explicit Expanding(int& d) : depth(++d) {}
    ~Expanding() { --depth; }
  } expanding(expanding_);
  if (const auto* body = schema_body(schema, opset)) return call(scope, node, *body, &schema);
  std::vector<onnx::TypeProto> types;
  for (const auto& input : node.input()) {
    const Value* v = scope.lookup(input);
    types.push_back(v ? type_to_proto(v->type) : onnx::TypeProto());
  }
  onnx::FunctionProto body;
  const onnx::NodeProto whole = with_attributes(scope, node);  // the context points into its attributes
  const bool built = guarded([&] {
    const onnx::FunctionBodyBuildContextImpl context(whole, types);
    return schema.BuildContextDependentFunction(context, body, static_cast<int>(opset));
  });
  require(built, ErrorKind::model, "the operator is not supported with these inputs and attributes");
  call(scope, node, body, &schema);
}

}  // namespace onecard
