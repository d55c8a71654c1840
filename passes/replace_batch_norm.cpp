// batch_norm(x, scale, bias, mean, var) => x * k + t
//   k = scale / sqrt(var + epsilon)     t = bias - mean * k, both shaped [C, 1, ...]; all constants; the rank of x is known.
#include "lib/ops/normalize.h"
#include "passes/batch_norm_affine.h"
#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const BatchNorm& op) {
  const TensorType& x = node.inputs[0]->type;
  const Value* scale = node.input(1);
  if (!x.shape.has_rank() || x.shape.rank() < 2 || !scale || !scale->constant || scale->type.dtype != x.dtype) return false;
  const int64_t channels = scale->constant->elements();
  if (scale->constant->rank() != 1 || x.shape[1].maybe().value_or(channels) != channels) return false;
  const auto affine = batch_norm_affine(op, node, channels);
  if (!affine) return false;
  Dims dims(static_cast<size_t>(x.shape.rank() - 1), 1);
  dims[0] = channels;
  const auto constant = [&](const char* what, const std::vector<double>& numbers) {
    Tensor t(x.dtype, dims);
    for (size_t i = 0; i < numbers.size(); ++i) t.set(static_cast<int64_t>(i), numbers[i]);
    return graph.add_constant(graph.unique(node.output()->name + what), std::move(t));
  };
  Value* scaled = emit(graph, node, Binary(BinaryFn::mul), {node.inputs[0], constant(".scale", affine->scale)});
  return replace_node(graph, node, Binary(BinaryFn::add), {scaled, constant(".shift", affine->shift)});
}

}  // namespace

int64_t replace_batch_norm(Graph& graph, PassContext&) { return rewrite_each<BatchNorm>(graph, rule); }

}  // namespace onecard
