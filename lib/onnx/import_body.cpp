#include <algorithm>

#include "lib/onnx/importer.h"

namespace onecard {

namespace {

// Extents of a body's inputs may change from one iteration to the next, whatever the file says of them; what they really are is inferred from
// outside, when all is imported.
Dim body_dim(const onnx::TensorShapeProto::Dimension&, int64_t) { return Dim::unknown(); }

// The declared type of a body's input; where none is declared, the element type of the node's input at the same place, as Loop and Scan pair them.
TensorType body_input_type(const onnx::ValueInfoProto& input, const Value* given) {
  ErrorScope where("input '" + input.name() + "'");
  const auto& type = input.type();
  const bool typed = type.value_case() != onnx::TypeProto::VALUE_NOT_SET && !(type.has_tensor_type() && type.tensor_type().elem_type() == 0);
  if (typed) return type_from_proto(type, body_dim);
  require(given != nullptr, ErrorKind::model, "has no type");
  TensorType guess = given->type;
  guess.shape = Shape::unranked();
  return guess;
}

}  // namespace

Importer::Body Importer::import_body(Scope& outer, const std::string& name, const onnx::GraphProto& proto, const std::vector<Value*>& node_inputs) {
  ErrorScope where(name);
  DepthGuard guard(depth_);
  Body body;
  body.name = name;
  body.graph->name = proto.name();
  body.scope = std::make_unique<Scope>(*body.graph, outer.frame(), &outer);
  std::set<std::string> formal;
  for (int i = 0; i < proto.input_size(); ++i) {
    const auto& input = proto.input(i);
    require(!input.name().empty() && formal.insert(input.name()).second, ErrorKind::model, "two inputs are named '", input.name(), "'");
    const auto at = static_cast<size_t>(i);
    Value* v = body.graph->add_input(body.graph->unique(input.name()), body_input_type(input, at < node_inputs.size() ? node_inputs[at] : nullptr));
    v->origin = {input.name()};
    body.scope->bind_argument(input.name(), v);
  }
  body.formal = body.graph->inputs.size();
  add_initializers(*body.scope, proto, formal);
  add_nodes(*body.scope, proto.node());
  for (const auto& output : proto.output()) {
    Value* v = body.scope->lookup(output.name());
    require(v != nullptr, ErrorKind::model, "output '", output.name(), "' has no value");
    body.graph->outputs.push_back(v);
  }
  return body;
}

// All bodies of one node get the same captures in the same order, those of the first body first.
void Importer::finish_bodies(std::vector<Body>& bodies, OnnxNode& node) {
  std::vector<Value*> captures;
  for (const Body& body : bodies)
    for (const auto& capture : body.scope->captures())
      if (std::find(captures.begin(), captures.end(), capture.outer) == captures.end()) captures.push_back(capture.outer);
  for (Body& body : bodies) {
    std::vector<Value*> inputs(body.graph->inputs.begin(), body.graph->inputs.begin() + static_cast<std::ptrdiff_t>(body.formal));
    for (Value* outer : captures) inputs.push_back(body.scope->capture(outer));
    body.graph->inputs = std::move(inputs);
    body.scope.reset();
    const bool first = node.bodies.emplace(body.name, OnnxBody{std::make_shared<const Graph>(std::move(*body.graph)), captures}).second;
    require(first, ErrorKind::model, "attribute '", body.name, "' is given twice");
  }
}

}  // namespace onecard
