// x * hard_sigmoid(x, 1/6, 1/2), x * clip(x + 3, 0, 6) / 6 => hard_swish(x)
//   factors in any order, / 6 or * 1/6 anywhere among them; the inner results are read by nothing else.
#include "passes/match.h"

namespace onecard {

namespace {

// Whether v is x's gate but for its factor; `factor` is what the product still needs for it to be a hard_swish.
bool is_gate(const Graph& graph, const Value* v, const Value* x, double& factor) {
  if (const Node* node = sole_unary(graph, v, Fn::hard_sigmoid)) {
    const Activation& f = node->as<Unary>()->f;
    factor = 1;
    return node->inputs[0] == x && same_number(f.alpha, 1.0 / 6, v->type.dtype) && same_number(f.beta, 0.5, v->type.dtype);
  }
  const Node* node = sole_unary(graph, v, Fn::clip);
  if (!node || node->as<Unary>()->f.alpha != 0 || node->as<Unary>()->f.beta != 6) return false;
  const auto shifted = shifted_by(node->inputs[0]);
  factor = 1.0 / 6;
  return shifted && shifted->x == x && same_number(shifted->number, 3, v->type.dtype);
}

bool rule(Graph& graph, Node& node, const Binary&) {
  const Product p = product_of(graph, node);
  const auto is_pair = [&](Value* gate, Value* x) {
    double factor = 0;
    return is_gate(graph, gate, x, factor) && same_number(p.factor, factor, x->type.dtype);
  };
  Value* x = gated(p, is_pair);
  return x && same_rank(x, node.output()) && replace_node(graph, node, Unary({Fn::hard_swish}), {x});
}

}  // namespace

int64_t fuse_hard_swish(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
