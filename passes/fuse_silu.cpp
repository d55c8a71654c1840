// x * sigmoid(a x) => silu(x, a)
//   factors in either order; a is 1 or a scalar; the sigmoid is read by nothing else.
#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const Binary&) {
  const Product p = product_of(graph, node);
  if (p.factor != 1) return false;
  double slope = 1;
  const auto is_gate = [&](Value* v, Value* x) {
    const Node* sigmoid = sole_unary(graph, v, Fn::sigmoid);
    if (!sigmoid) return false;
    if (sigmoid->inputs[0] == x) return slope = 1, true;
    const auto scaled = scaled_by(sigmoid->inputs[0]);
    if (!scaled || scaled->x != x) return false;
    slope = scaled->number;
    return true;
  };
  Value* x = gated(p, is_gate);
  return x && same_rank(x, node.output()) && replace_node(graph, node, Unary({Fn::silu, static_cast<float>(slope)}), {x});
}

}  // namespace

int64_t fuse_silu(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
