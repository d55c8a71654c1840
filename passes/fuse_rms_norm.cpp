// x / sqrt(mean(x^2) + epsilon) => rms_norm(x, ones)        rms_norm(x, ones) * s => rms_norm(x, s)
//   the mean over the last axes, kept; quotient as div, reciprocal or power; s has the extents of those axes; the inner results are read
//   by nothing else.
#include "lib/ops/normalize.h"
#include "passes/norm_match.h"

namespace onecard {

namespace {

bool rule_core(Graph& graph, Node& node, const Binary&) {
  const auto quotient = normalized(graph, node);
  const auto square = quotient ? last_mean_square(quotient->mean_square) : std::nullopt;
  if (!square || square->x != quotient->numerator) return false;
  const TensorType& x = square->x->type;
  auto ones = ones_from_axis(x, square->axis);
  if (!ones) return false;
  RmsNorm op;
  op.axis = square->axis - x.shape.rank();
  op.epsilon = quotient->epsilon;
  return replace_node(graph, node, op, {square->x, graph.add_constant(graph.unique(node.output()->name + ".scale"), std::move(*ones))});
}

bool rule_scale(Graph& graph, Node& node, const Binary& op) {
  if (op.fn != BinaryFn::mul) return false;
  for (size_t i = 0; i < 2; ++i) {
    const Node* norm = sole_producer<RmsNorm>(graph, node.inputs[i]);
    if (!norm || !all_elements_are(norm->input(1), 1)) continue;
    const TensorType& x = norm->inputs[0]->type;
    const RmsNorm fused = *norm->as<RmsNorm>();
    const int64_t axis = fused.axis < 0 ? fused.axis + x.shape.rank() : fused.axis;
    Value* scale = node.inputs[1 - i];
    if (!spans_from_axis(scale, x, axis)) continue;
    return replace_node(graph, node, fused, {norm->inputs[0], without_leading_ones(graph, scale, x, axis)});
  }
  return false;
}

}  // namespace

int64_t fuse_rms_norm(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule_core) + rewrite_each<Binary>(graph, rule_scale); }

}  // namespace onecard
