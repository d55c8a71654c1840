// x * tanh(softplus(x)) => mish(x)
//   factors in either order; tanh is read by nothing else.
#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const Binary&) {
  const Product p = product_of(graph, node);
  if (p.factor != 1) return false;
  const auto is_gate = [&](Value* v, Value* x) {
    const Node* tanh = sole_unary(graph, v, Fn::tanh);
    const Node* softplus = tanh ? unary_of(tanh->inputs[0], Fn::softplus) : nullptr;
    return softplus && softplus->inputs[0] == x;
  };
  Value* x = gated(p, is_gate);
  return x && same_rank(x, node.output()) && replace_node(graph, node, Unary({Fn::mish}), {x});
}

}  // namespace

int64_t fuse_mish(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
