// if(constant, captures){a}{b} => the nodes of a or of b
//   The branch taken stands in the place of the If; a branch that hands a capture through becomes an identity where a graph output needs
//   a name of its own. A branch that is impossible for the sizes that are known stays where it is: running it says so.
#include "lib/ops/control.h"
#include "passes/match.h"
#include "passes/refine.h"
#include "passes/splice.h"

namespace onecard {

namespace {

// Whether the branch can be inferred for what the node's inputs are known to be.
bool possible(const Graph& branch, const Node& node) {
  Graph scratch;
  Twins twins;
  for (size_t i = 0; i < branch.inputs.size(); ++i) {
    const Value& given = *node.inputs[i + 1];
    Value* twin = given.constant ? scratch.add_constant(given.name, given.constant) : scratch.add_input(given.name, given.type);
    twin->contents = given.contents;
    twins[branch.inputs[i]] = twin;
  }
  try {
    splice(scratch, nullptr, branch, twins);
    return true;
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return false;
  }
}

bool rule(Graph& graph, Node& node, const If& op) {
  const Value* condition = node.input(0);
  if (!condition || !condition->constant || condition->constant->elements() != 1 || condition->type.dtype != DType::boolean) return false;
  const GraphPtr& branch = materialize(condition->constant)->int_at(0) != 0 ? op.then_branch : op.else_branch;
  if (branch->inputs.size() + 1 != node.inputs.size() || branch->outputs.size() != node.outputs.size()) return false;
  Twins twins;
  for (size_t i = 0; i < branch->inputs.size(); ++i) {
    if (!node.inputs[i + 1]) return false;
    twins[branch->inputs[i]] = node.inputs[i + 1];
  }
  for (size_t i = 0; i < branch->outputs.size(); ++i) {
    const bool passed_through = !branch->outputs[i]->producer;
    if (passed_through && graph.is_output(node.outputs[i]) && branch->outputs[i]->type.container != Container::tensor) return false;
  }
  if (!possible(*branch, node)) return false;
  const std::vector<Value*> results = splice(graph, &node, *branch, twins);
  for (size_t i = 0; i < results.size(); ++i) {
    Value* result = results[i];
    if (!can_stand_for(graph, node.outputs[i], result)) result = emit(graph, node, Unary({Fn::identity}), {result});
    graph.replace_uses(node.outputs[i], result);
  }
  return true;
}

}  // namespace

int64_t fold_constant_if(Graph& graph, PassContext&) {
  const int64_t changes = rewrite_each<If>(graph, rule);
  if (changes) refine_types(graph);
  return changes;
}

}  // namespace onecard
