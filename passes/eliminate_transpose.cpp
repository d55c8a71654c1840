// transpose(x, 0 1 2 ...) => x        transpose(transpose(x, p), q) => transpose(x, p[q])
#include <numeric>

#include "lib/ops/shape_ops.h"
#include "passes/match.h"

namespace onecard {

namespace {

// The permutation in full for a value of that rank, or nothing when it is unknown.
std::optional<std::vector<int64_t>> full_perm(const Transpose& op, const Value* x) {
  if (!x->type.shape.has_rank()) return op.perm.empty() ? std::nullopt : std::optional(op.perm);
  std::vector<int64_t> perm = op.perm;
  if (!perm.empty()) return perm;
  perm.resize(static_cast<size_t>(x->type.shape.rank()));
  std::iota(perm.rbegin(), perm.rend(), int64_t{0});
  return perm;
}

bool in_order(const std::vector<int64_t>& perm) {
  for (size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<int64_t>(i)) return false;
  return true;
}

bool rule(Graph& graph, Node& node, const Transpose& op) {
  Value* x = node.inputs[0];
  const auto outer = full_perm(op, x);
  if (!outer) return false;
  if (in_order(*outer)) {
    if (!can_stand_for(graph, node.output(), x)) return false;
    graph.replace_uses(node.output(), x);
    return true;
  }
  const Node* producer = producer_of<Transpose>(x);
  const auto inner = producer ? full_perm(*producer->as<Transpose>(), producer->inputs[0]) : std::nullopt;
  if (!inner || inner->size() != outer->size() || producer->inputs[0]->type.quant) return false;
  Transpose composed;
  for (const int64_t axis : *outer) composed.perm.push_back((*inner)[static_cast<size_t>(axis)]);
  if (in_order(composed.perm) && can_stand_for(graph, node.output(), producer->inputs[0])) {
    graph.replace_uses(node.output(), producer->inputs[0]);
    return true;
  }
  return replace_node(graph, node, std::move(composed), {producer->inputs[0]});
}

}  // namespace

int64_t eliminate_transpose(Graph& graph, PassContext&) { return rewrite_each<Transpose>(graph, rule); }

}  // namespace onecard
