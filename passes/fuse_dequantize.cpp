// conv(dequantize(x), dequantize(w), b) => conv(x, w, b), sums exact in integers; matmul likewise
// conv(x, dequantize(w), b) => conv(x, w, b), the weights stored as integers; conv_transpose, matmul likewise
//   x is 8-bit with one scale; w is 8-bit with one scale or one per output channel, and constant (matmul: or an 8-bit activation); where
//   only the weights are taken they are any constant. A dequantized residual of a conv of integers is taken as it is stored,
//   and a bias of i32 in units of the scales of x and w; any other becomes real numbers.
#include "lib/ops/conv_transpose.h"
#include "lib/ops/integer_sum.h"
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

// The bias of layer inputs `in`: as integers where these are in units of x's and w's scales, else as real numbers.
template <class O>
Value* stored_bias(Graph& graph, const Node& node, const std::vector<Value*>& in) {
  Value* b = stored(in[2]);
  if (!b || !b->constant) return in[2];
  const LayerTypes types{&in[0]->type, &in[1]->type, &b->type, channel_axis(node).value_or(0)};
  if (!std::is_same_v<O, ConvTranspose> && rescales_integers(types, {}, std::make_shared<const Quantization>())) return b;
  if (b->type.dtype != DType::i32) return in[2];
  return graph.add_constant(graph.unique(b->name + ".real"), dequantize_tensor(*materialize(b->constant)));
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
  if (node.input(2)) in[2] = stored_bias<O>(graph, node, in);
  if (in == node.inputs) return false;
  const auto type = inferred(op, in);
  return type && type->dtype == node.output()->type.dtype && replace_node(graph, node, op, std::move(in));
}

}  // namespace

int64_t fuse_dequantize(Graph& graph, PassContext&) {
  return rewrite_each<Conv>(graph, rule<Conv>) + rewrite_each<ConvTranspose>(graph, rule<ConvTranspose>) + rewrite_each<MatMul>(graph, rule<MatMul>);
}

}  // namespace onecard
