// d / sqrt(mean(d^2) + epsilon), d = x - mean(x) => layer_norm(x, ones)
// layer_norm(x, ones) * s => layer_norm(x, s)        layer_norm(x, s) + t => layer_norm(x, s, t)
//   means over the same last axes, kept; d may be computed twice; quotient as div, reciprocal or power; s, t have the extents of those
//   axes; the inner results are read by nothing else.
#include "lib/ops/normalize.h"
#include "passes/norm_match.h"

namespace onecard {

namespace {

// v = x - mean(x) over the last axes.
std::optional<LastMean> centred(const Value* v) {
  const Node* sub = binary_of(v, BinaryFn::sub);
  const auto mean = sub ? last_mean(sub->inputs[1]) : std::nullopt;
  return mean && mean->x == sub->inputs[0] ? mean : std::nullopt;
}

bool rule_core(Graph& graph, Node& node, const Binary&) {
  const auto quotient = normalized(graph, node);
  if (!quotient) return false;
  const auto top = centred(quotient->numerator), square = last_mean_square(quotient->mean_square);
  const auto below = square ? centred(square->x) : std::nullopt;
  if (!top || !below || top->x != below->x || top->axis != below->axis || top->axis != square->axis) return false;
  const TensorType& x = top->x->type;
  auto ones = ones_from_axis(x, top->axis);
  if (!ones) return false;
  LayerNorm op;
  op.axis = top->axis - x.shape.rank();
  op.epsilon = quotient->epsilon;
  return replace_node(graph, node, op, {top->x, graph.add_constant(graph.unique(node.output()->name + ".scale"), std::move(*ones))});
}

bool rule_scale_bias(Graph& graph, Node& node, const Binary& op) {
  if (op.fn != BinaryFn::mul && op.fn != BinaryFn::add) return false;
  for (size_t i = 0; i < 2; ++i) {
    const Node* norm = sole_producer<LayerNorm>(graph, node.inputs[i]);
    if (!norm || norm->input(2)) continue;
    const TensorType& x = norm->inputs[0]->type;
    const LayerNorm fused = *norm->as<LayerNorm>();
    const int64_t axis = fused.axis < 0 ? fused.axis + x.shape.rank() : fused.axis;
    Value* other = node.inputs[1 - i];
    if (!spans_from_axis(other, x, axis)) continue;
    if (op.fn == BinaryFn::mul && !all_elements_are(norm->input(1), 1)) continue;
    other = without_leading_ones(graph, other, x, axis);
    std::vector<Value*> in{norm->inputs[0], op.fn == BinaryFn::mul ? other : norm->inputs[1]};
    if (op.fn == BinaryFn::add) in.push_back(other);
    return replace_node(graph, node, fused, std::move(in));
  }
  return false;
}

}  // namespace

int64_t fuse_layer_norm(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule_core) + rewrite_each<Binary>(graph, rule_scale_bias); }

}  // namespace onecard
