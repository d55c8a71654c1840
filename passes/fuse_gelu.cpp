// x * 1/2 * (1 + erf(x / sqrt(2))) => gelu(x)
//   factors in any order and grouping; / sqrt(2) or * 1/sqrt(2); the inner results are read by nothing else.
#include <cmath>

#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const Binary&) {
  const Product p = product_of(graph, node);
  if (p.terms.size() != 2 || !same_number(p.factor, 0.5, node.output()->type.dtype)) return false;
  const auto is_gate = [&](Value* v, Value* x) {
    const auto sum = sole_producer<Binary>(graph, v) ? shifted_by(v) : std::nullopt;
    const Node* erf = sum && same_number(sum->number, 1, x->type.dtype) ? sole_unary(graph, sum->x, Fn::erf) : nullptr;
    const auto scaled = erf ? scaled_by(erf->inputs[0]) : std::nullopt;
    return scaled && scaled->x == x && same_number(scaled->number, std::sqrt(0.5), x->type.dtype);
  };
  Value* x = gated(p, is_gate);
  return x && same_rank(x, node.output()) && replace_node(graph, node, Unary({Fn::gelu}), {x});
}

}  // namespace

int64_t fuse_gelu(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
