// conv(dequantize(x), dequantize(w), b) => conv(x, w, b), sums exact in integers; matmul likewise
// conv(x, dequantize(w), b) => conv(x, w, b), the weights stored as integers; conv_transpose, matmul likewise
//   x is 8-bit with one scale; w is 8-bit with one scale or one per output channel, and constant (matmul: or an 8-bit activation); where
//   only the weights are taken they are any constant. A dequantized residual of a conv of integers is taken as it is stored.
#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

Value* stored(const Value* v) {
  const Node* node = producer_of<Dequantize>(v);
  return node ? node->inputs[0] : nullptr;
}
bool is_byte(const Value* v) { return v && info(v->type.dtype).bits == 8; }
bool has_one_scale(const Value* v) { return is_byte(v) && v->type.quant->axis < 0; }

// Whether the integers of x and w can be summed exactly.
template <class O>
bool sums_exactly(const O&, const Node& node, const Value* x, const Value* w) {
  if (!has_one_scale(x) || !is_byte(w) || !w->type.shape.has_rank()) return false;
  const Quantization& q = *w->type.quant;
  if constexpr (std::is_same_v<O, MatMul>) return q.axis < 0 || (q.block == 0 && w->type.shape.rank() > 1 && channel_axis(node) == q.axis);
  else return std::is_same_v<O, Conv> && w->constant && (q.axis < 0 || (q.block == 0 && q.axis == 0));
}

template <class O>
bool rule(Graph& graph, Node& node, const O& op) {
  std::vector<Value*> in = node.inputs;
  Value *x = stored(in[0]), *w = stored(in[1]);
  if (w && sums_exactly(op, node, x, w)) {
    in[0] = x;
    in[1] = w;
  } else if (w && w->constant) {
    in[1] = w;
  }
  if constexpr (std::is_same_v<O, Conv>)
    if (Value* residual = stored(node.input(3)); in[0]->type.quant && has_one_scale(residual)) in[3] = residual;
  if (in == node.inputs) return false;
  const auto type = inferred(op, in);
  return type && type->dtype == node.output()->type.dtype && replace_node(graph, node, op, std::move(in));
}

}  // namespace

int64_t fuse_dequantize(Graph& graph, PassContext&) {
  return rewrite_each<Conv>(graph, rule<Conv>) + rewrite_each<ConvTranspose>(graph, rule<ConvTranspose>) + rewrite_each<MatMul>(graph, rule<MatMul>);
}

}  // namespace onecard
