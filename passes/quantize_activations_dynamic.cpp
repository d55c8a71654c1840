// matmul(x, int8 w) => matmul(x, int8 w) {dynamic=row}; conv(x, int8 w) => conv(x, int8 w) {dynamic=image}
//   context.activations asks for int8_dynamic; x is f32 and no constant, w a constant of bytes with one scale or one per output channel. Each row (of
//   a product), each image (of a convolution) is quantized while running, by its own smallest and largest. Convolutions of groups with fewer than 16
//   channels (depthwise ones) stay as they are: their sums are too short to pay for it.
#include "lib/ops/conv.h"
#include "lib/ops/matmul.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

constexpr int64_t kFewestGroupChannels = 16;

bool takes_codes(const Node& node) {
  const Value *x = node.input(0), *w = node.input(1);
  if (!x || !w || x->constant || x->type.quant || x->type.dtype != DType::f32 || node.output()->type.dtype != DType::f32) return false;
  return w->constant && w->type.quant && w->type.quant->block == 0 && w->type.dtype == DType::i8 && w->constant->rank() >= 2;
}

bool pays(const MatMul&, const Node&) { return true; }
bool pays(const Conv& op, const Node& node) { return op.group == 1 || node.input(1)->constant->dims()[1] >= kFewestGroupChannels; }
Dynamic part_of(const MatMul&) { return Dynamic::row; }
Dynamic part_of(const Conv&) { return Dynamic::image; }

template <class O>
bool rule(Graph& graph, Node& node, const O& op) {
  if (op.dynamic != Dynamic::no || !takes_codes(node) || !pays(op, node)) return false;
  O made = op;
  made.dynamic = part_of(op);
  const auto type = inferred(made, node.inputs);
  return type && *type == node.output()->type && replace_node(graph, node, std::move(made), node.inputs);
}

}  // namespace

int64_t quantize_activations_dynamic(Graph& graph, PassContext& context) {
  if (context.activations != ActivationPrecision::int8_dynamic) return 0;
  return rewrite_each<MatMul>(graph, rule<MatMul>) + rewrite_each<Conv>(graph, rule<Conv>);
}

}  // namespace onecard
