// conv(dequantize(x), dequantize(w), b) => conv(x, w, b), sums exact in integers; conv_transpose, matmul likewise
//   x is 8-bit with one scale, w an 8-bit constant (matmul: or any 8-bit value); the op accepts both. A dequantized residual of a conv is
//   taken as it is stored.
#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "passes/match.h"

namespace onecard {

namespace {

Value* stored(const Value* v) {
  const Node* node = producer_of<Dequantize>(v);
  return node && info(node->inputs[0]->type.dtype).bits == 8 ? node->inputs[0] : nullptr;
}

template <class O>
bool rule(Graph& graph, Node& node, const O& op) {
  std::vector<Value*> in = node.inputs;
  Value *x = stored(in[0]), *w = stored(in[1]);
  if (x && w && x->type.quant->axis < 0) {
    in[0] = x;
    in[1] = w;
  }
  if constexpr (std::is_same_v<O, Conv>)
    if (Value* residual = stored(node.input(3)); residual && residual->type.quant->axis < 0) in[3] = residual;
  if (in == node.inputs) return false;
  const auto type = inferred(op, in);
  return type && type->dtype == node.output()->type.dtype && replace_node(graph, node, op, std::move(in));
}

}  // namespace

int64_t fuse_dequantize(Graph& graph, PassContext&) {
  return rewrite_each<Conv>(graph, rule<Conv>) + rewrite_each<ConvTranspose>(graph, rule<ConvTranspose>) + rewrite_each<MatMul>(graph, rule<MatMul>);
}

}  // namespace onecard
