// matmul(a, b) + c => matmul(a, b, c)        matmul(a, b) - c => matmul(a, b, -c)
//   c is a constant with one number per column of the product, or one number; the product has no bias, activation or residual yet and is
//   read by nothing else.
#include "lib/ops/matmul.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

// The constant as numbers per column, in the shape [columns].
std::optional<Tensor> column_bias(const Value* c, const Shape& y, BinaryFn fn) {
  const int64_t rank = y.rank();
  const auto columns = rank > 0 ? y[rank - 1].maybe() : std::nullopt;
  if (!columns || *columns == 0) return std::nullopt;
  const auto numbers = per_channel(c, rank, rank - 1, *columns);
  if (!numbers) return std::nullopt;
  Tensor bias(c->type.dtype, Dims{*columns});
  for (int64_t i = 0; i < *columns; ++i) bias.set(i, fn == BinaryFn::sub ? -(*numbers)[static_cast<size_t>(i)] : (*numbers)[static_cast<size_t>(i)]);
  return bias;
}

bool rule(Graph& graph, Node& node, const Binary& op) {
  if (op.fn != BinaryFn::add && op.fn != BinaryFn::sub) return false;
  for (size_t i = 0; i < (op.fn == BinaryFn::add ? 2u : 1u); ++i) {
    const Node* matmul = sole_producer<MatMul>(graph, node.inputs[i]);
    Value* c = node.inputs[1 - i];
    if (!matmul || matmul->input(2) || matmul->input(3) || !c->constant || !matmul->output()->type.shape.has_rank()) continue;
    const MatMul& fused = *matmul->as<MatMul>();
    if (!fused.activation.is_identity() || fused.output || c->type.dtype != matmul->output()->type.dtype) continue;
    auto bias = column_bias(c, matmul->output()->type.shape, op.fn);
    if (!bias) continue;
    const bool as_it_is = op.fn == BinaryFn::add && c->type.shape == Shape::of(bias->dims());
    Value* third = as_it_is ? c : graph.add_constant(graph.unique(c->name), std::move(*bias));
    return replace_node(graph, node, fused, {matmul->inputs[0], matmul->inputs[1], third});
  }
  return false;
}

}  // namespace

int64_t fuse_bias_into_matmul(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
