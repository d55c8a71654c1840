// matmul(x, w, b) * s => matmul(x, w * s, b * s)     + t => b + t     - t => b - t     t - => -w, t - b     / s => * 1/s
//   s, t constant per column; w constant of rank 2 or more; the product is read by nothing else, without activation or residual.
#include "lib/ops/matmul.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {
bool rule(Graph& graph, Node& node, const Binary&) {
  return fold_arithmetic(graph, node, [](const Node& linear) { return linear.as<MatMul>() != nullptr; });
}
}  // namespace

int64_t fold_arithmetic_into_matmul(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
