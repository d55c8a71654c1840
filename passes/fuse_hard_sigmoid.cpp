// clip(a x + b, 0, c) / c => hard_sigmoid(x), alpha = a / c, beta = b / c
//   scaled by division or multiplication; c > 0; a x + b from sums and products with scalars; the inner results are read by nothing else.
#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const Binary&) {
  const Product p = product_of(graph, node);
  if (p.terms.size() != 1) return false;
  const Node* clip = sole_unary(graph, p.terms[0], Fn::clip);
  if (!clip || !same_rank(clip->output(), node.output())) return false;
  const Activation& f = clip->as<Unary>()->f;
  if (f.alpha != 0 || !(f.beta > 0) || !same_number(p.factor * f.beta, 1, node.output()->type.dtype)) return false;
  const Node* sum = producer_of<Binary>(clip->inputs[0]);
  if (!sum) return false;
  const auto shifted = shifted_by(clip->inputs[0]);
  const auto scaled = shifted ? scaled_by(shifted->x) : std::nullopt;
  Activation made{Fn::hard_sigmoid};
  Value* x = shifted ? shifted->x : nullptr;
  if (!x) return false;
  double slope = 1;
  if (scaled && sole_producer<Binary>(graph, x)) {
    slope = scaled->number;
    x = scaled->x;
  }
  made.alpha = static_cast<float>(slope / f.beta);
  made.beta = static_cast<float>(shifted->number / f.beta);
  return replace_node(graph, node, Unary(made), {x});
}

}  // namespace

int64_t fuse_hard_sigmoid(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
