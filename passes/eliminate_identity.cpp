// identity(x), x + 0, 0 + x, x - 0, x * 1, 1 * x, x / 1, x ^ 1 => x
//   the constant does not enlarge x by broadcasting; a graph output that would lose its name keeps its node.
#include "passes/match.h"

namespace onecard {

namespace {

bool rule_unary(Graph& graph, Node& node, const Unary& op) {
  if (!op.f.is_identity() || !can_stand_for(graph, node.output(), node.inputs[0])) return false;
  graph.replace_uses(node.output(), node.inputs[0]);
  return true;
}

// The number that changes nothing as the operand on that side, if there is one.
std::optional<double> neutral(BinaryFn fn, size_t side) {
  switch (fn) {
    case BinaryFn::add: return 0;
    case BinaryFn::mul: return 1;
    case BinaryFn::sub: return side == 1 ? std::optional(0.0) : std::nullopt;
    case BinaryFn::div:
    case BinaryFn::pow: return side == 1 ? std::optional(1.0) : std::nullopt;
    default: return std::nullopt;
  }
}

bool rule_binary(Graph& graph, Node& node, const Binary& op) {
  for (size_t side = 0; side < 2; ++side) {
    Value *x = node.inputs[1 - side], *c = node.inputs[side];
    const auto number = neutral(op.fn, side);
    if (!number || !c->constant || x->type.dtype != node.output()->type.dtype || x->type.quant || !broadcasts_into(c->type.shape, x->type.shape)) continue;
    if (!all_elements_are(c, *number) || !can_stand_for(graph, node.output(), x)) continue;
    graph.replace_uses(node.output(), x);
    return true;
  }
  return false;
}

}  // namespace

int64_t eliminate_identity(Graph& graph, PassContext&) { return rewrite_each<Unary>(graph, rule_unary) + rewrite_each<Binary>(graph, rule_binary); }

}  // namespace onecard
