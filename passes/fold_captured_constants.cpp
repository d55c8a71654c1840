// if(c, w){body(w)} => if(c){body with the constant w inside}; loop and scan likewise
//   w is a constant; the body's own passes then see it. Constants are shared, so nothing is copied. A body that cannot run with them stays as it
//   is: the error belongs to the run, if it comes to that.
#include "lib/ops/control.h"
#include "passes/match.h"
#include "passes/splice.h"

namespace onecard {

namespace {

// The body without the inputs whose constant is given; null when inference refuses it so.
GraphPtr with_constants(const Graph& body, const std::vector<ConstTensor>& constants) {
  Graph copy;
  Twins twins;
  copy.name = body.name;
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    const Value* in = body.inputs[i];
    Value* twin = constants[i] ? copy.add_constant(in->name, constants[i]) : copy.add_input(in->name, in->type);
    twin->origin = in->origin;
    twins[in] = twin;
  }
  try {
    copy.outputs = splice(copy, nullptr, body, twins);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return nullptr;
  }
  return std::make_shared<const Graph>(std::move(copy));
}

// `first` input of the node is a capture, which is input `first - skipped` of each body.
bool fold_captures(Graph& graph, Node& node, size_t first, size_t skipped) {
  std::vector<Value*> in(node.inputs.begin(), node.inputs.begin() + static_cast<std::ptrdiff_t>(std::min(first, node.inputs.size())));
  std::vector<ConstTensor> constants(first - skipped);
  for (size_t i = first; i < node.inputs.size(); ++i) {
    Value* v = node.inputs[i];
    if (!v) return false;
    constants.push_back(v->constant && v->type.container == Container::tensor ? v->constant : nullptr);
    if (!constants.back()) in.push_back(v);
  }
  if (in.size() == node.inputs.size()) return false;
  std::vector<GraphPtr> bodies;
  for (const GraphPtr& body : node.op->subgraphs()) {
    if (body->inputs.size() != constants.size()) return false;
    bodies.push_back(with_constants(*body, constants));
    if (!bodies.back()) return false;
  }
  Node& made = graph.add_before(node, node.op->with_subgraphs(std::move(bodies)), std::move(in), node.output()->name);
  for (size_t i = 0; i < node.outputs.size(); ++i) take_over(graph, node.outputs[i], made.outputs[i]);
  return true;
}

}  // namespace

int64_t fold_captured_constants(Graph& graph, PassContext&) {
  int64_t changes = rewrite_each<If>(graph, [](Graph& g, Node& n, const If&) { return fold_captures(g, n, 1, 1); });
  changes += rewrite_each<Loop>(graph, [](Graph& g, Node& n, const Loop& op) { return fold_captures(g, n, static_cast<size_t>(op.carried) + 2, 0); });
  changes += rewrite_each<Scan>(graph, [](Graph& g, Node& n, const Scan& op) { return fold_captures(g, n, static_cast<size_t>(op.states + op.scans), 0); });
  return changes;
}

}  // namespace onecard
