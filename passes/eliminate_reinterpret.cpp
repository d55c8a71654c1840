// reinterpret(x) to its own meaning => x; reinterpret(reinterpret(x)) => reinterpret(x)
#include "lib/ops/reinterpret.h"
#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const Reinterpret& op) {
  Value* x = node.inputs[0];
  if (same_value(x->type.quant, op.quant)) {
    if (!can_stand_for(graph, node.output(), x)) return false;
    graph.replace_uses(node.output(), x);
    return true;
  }
  const Node* inner = producer_of<Reinterpret>(x);
  return inner && replace_inputs(graph, node, {inner->inputs[0]});
}

}  // namespace

int64_t eliminate_reinterpret(Graph& graph, PassContext&) { return rewrite_each<Reinterpret>(graph, rule); }

}  // namespace onecard
