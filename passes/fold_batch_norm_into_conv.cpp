// batch_norm(conv(x, w, b), scale, bias, mean, var) => conv(x, w', b')
//   k = scale / sqrt(var + epsilon)     w'[c] = w[c] * k[c]     b' = (b - mean) * k + bias
//   conv, conv_transpose, or matmul with a result of rank 2; its result is read by nothing else; all constants.
#include "lib/ops/normalize.h"
#include "passes/batch_norm_affine.h"
#include "passes/match.h"

namespace onecard {

namespace {

bool rule(Graph& graph, Node& node, const BatchNorm& op) {
  const auto linear = linear_producer(graph, node.inputs[0]);
  if (!linear || linear->axis != 1) return false;
  const auto affine = batch_norm_affine(op, node, linear->view.channels());
  return affine && fold_affine(graph, node, *linear, *affine);
}

}  // namespace

int64_t fold_batch_norm_into_conv(Graph& graph, PassContext&) { return rewrite_each<BatchNorm>(graph, rule); }

}  // namespace onecard
