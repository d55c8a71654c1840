// conv(x, w, b) * s => conv(x, w * s, b * s)     + t => b + t     - t => b - t     t - => -w, t - b     / s => * 1/s
//   s, t constant per channel; conv or conv_transpose whose result nothing else reads, without activation or residual.
#include "lib/ops/conv_transpose.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {
bool rule(Graph& graph, Node& node, const Binary&) {
  return fold_arithmetic(graph, node, [](const Node& linear) { return linear.as<Conv>() || linear.as<ConvTranspose>(); });
}
}  // namespace

int64_t fold_arithmetic_into_conv(Graph& graph, PassContext&) { return rewrite_each<Binary>(graph, rule); }

}  // namespace onecard
