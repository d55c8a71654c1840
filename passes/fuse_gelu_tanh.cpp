// x * 1/2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) => gelu_tanh(x)
//   factors in any order and grouping; the argument of tanh in any form that is this polynomial (pow, products, squares).
#include <cmath>

#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const Binary&) {
  constexpr double kRoot = 0.79788456080286535588, kCubic = 0.044715;  // sqrt(2 / pi)
  const Product p = product_of(graph, node);
  const DType dtype = node.output()->type.dtype;
  if (p.terms.size() != 2 || !same_number(p.factor, 0.5, dtype)) return false;
  const auto is_gate = [&](Value* v, Value* x) {
    const auto sum = sole_producer<Binary>(graph, v) ? shifted_by(v) : std::nullopt;
    const Node* tanh = sum && same_number(sum->number, 1, dtype) ? sole_unary(graph, sum->x, Fn::tanh) : nullptr;
    const auto inner = tanh ? cubic_of(tanh->inputs[0], x) : std::nullopt;
    return inner && same_rank(tanh->inputs[0], x) && same_cubic(*inner, {0, kRoot, 0, kRoot * kCubic}, dtype);
  };
  Value* x = gated(p, is_gate);
  return x && same_rank(x, node.output()) && replace_node(graph, node, Unary({Fn::gelu_tanh}), {x});
}

}  // namespace

int64_t fuse_gelu_tanh(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
