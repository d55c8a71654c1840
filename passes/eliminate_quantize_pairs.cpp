// quantize(dequantize(x), q) => x
//   q and the stored type are x's own.
#include "lib/ops/quantize.h"
#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const Quantize& op) {
  const Node* inner = producer_of<Dequantize>(node.inputs[0]);
  if (!inner) return false;
  Value* x = inner->inputs[0];
  if (x->type.dtype != op.dtype || !x->type.quant || !op.quant || !(*x->type.quant == *op.quant) || !can_stand_for(graph, node.output(), x)) return false;
  graph.replace_uses(node.output(), x);
  return true;
}

}  // namespace

int64_t eliminate_quantize_pairs(Graph& graph, PassContext&) { return rewrite_each<Quantize>(graph, rule); }

}  // namespace onecard
