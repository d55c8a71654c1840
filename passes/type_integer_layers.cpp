// qlinear_conv(x, sx, zx, w, sw, zw, sy, zy, b) => reinterpret(conv(x, w, b) {output=sy, zy}) of quantized x, w, b in units of sx sw
// qlinear_matmul(a, sa, za, b, sb, zb, sy, zy) => reinterpret(matmul(a, b) {output=sy, zy}) of quantized a, b
//   scales and zero points are constants; those of x, a, y one, those of w one or per output channel, of b one or per column; b of the
//   convolution is constant.
#include "lib/ops/conv_integer.h"
#include "lib/ops/matmul.h"
#include "lib/ops/matmul_integer.h"
#include "lib/ops/reinterpret.h"
#include "passes/linear_quantization.h"

namespace onecard {

namespace {

// One scale, or one per index of `axis`; ONNX lets scale and zero point be one and many in any mix.
QuantizationPtr weight_quantization(const Value* w, const Value* scale, const Value* zero, int64_t axis) {
  if (auto quant = linear_quantization(w->type, w->type.dtype, scale, zero, axis, 0)) return quant;
  const bool known = scale->constant && zero && zero->constant && zero->type.dtype == w->type.dtype && !zero->type.quant;
  if (!known || scale->constant->elements() < 2 || zero->constant->elements() != 1) return nullptr;
  const auto scales = linear_quantization(w->type, w->type.dtype, scale, nullptr, axis, 0);
  if (!scales) return nullptr;
  Quantization q = *scales;
  q.zero_point = {static_cast<int32_t>(to_ints(*materialize(zero->constant))[0])};
  return std::make_shared<const Quantization>(std::move(q));
}

// The bias as integers in units of the product of both scales.
Value* typed_bias(Graph& graph, Node& at, Value* bias, const Quantization& x, const Quantization& w) {
  Quantization q;
  q.scale.clear();
  for (const float s : w.scale) q.scale.push_back(x.scale[0] * s);
  if (w.axis >= 0) q.axis = 0;
  return with_quantization(graph, at, bias, std::make_shared<const Quantization>(std::move(q)));
}

bool conv_rule(Graph& graph, Node& node, const QLinearConv& op) {
  Value *x = node.inputs[0], *w = node.inputs[3];
  Value* bias = node.input(8);
  const auto qx = linear_quantization(x->type, x->type.dtype, node.inputs[1], node.inputs[2]);
  const auto qw = weight_quantization(w, node.inputs[4], node.inputs[5], 0);
  const auto qy = linear_quantization(node.output()->type, node.output()->type.dtype, node.inputs[6], node.inputs[7]);
  if (!qx || !qw || !qy || (bias && !bias->constant)) return false;
  Conv typed;
  typed.strides = op.strides;
  typed.dilations = op.dilations;
  typed.pads = op.pads;
  typed.group = op.group;
  typed.auto_pad = op.auto_pad;
  typed.output = qy;
  typed.output_dtype = node.output()->type.dtype;
  std::vector<Value*> in{with_quantization(graph, node, x, qx), with_quantization(graph, node, w, qw)};
  if (bias) in.push_back(typed_bias(graph, node, bias, *qx, *qw));
  return replace_node(graph, node, Reinterpret(), {emit(graph, node, std::move(typed), std::move(in))});
}

bool matmul_rule(Graph& graph, Node& node, const QLinearMatMul&) {
  Value *a = node.inputs[0], *b = node.inputs[3];
  if (!b->type.shape.has_rank()) return false;
  const auto qa = linear_quantization(a->type, a->type.dtype, node.inputs[1], node.inputs[2]);
  const auto qb = weight_quantization(b, node.inputs[4], node.inputs[5], b->type.shape.rank() - 1);
  const auto qy = linear_quantization(node.output()->type, node.output()->type.dtype, node.inputs[6], node.inputs[7]);
  if (!qa || !qb || !qy) return false;
  MatMul typed;
  typed.output = qy;
  typed.output_dtype = node.output()->type.dtype;
  return replace_node(graph, node, Reinterpret(),
                      {emit(graph, node, std::move(typed), {with_quantization(graph, node, a, qa), with_quantization(graph, node, b, qb)})});
}

}  // namespace

int64_t type_integer_layers(Graph& graph, PassContext&) {
  return rewrite_each<QLinearConv>(graph, conv_rule) + rewrite_each<QLinearMatMul>(graph, matmul_rule);
}

}  // namespace onecard
