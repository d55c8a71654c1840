// dequantize_linear(x, s, z) => dequantize(reinterpret(x) {quant=s, z})
// quantize_linear(x, s, z) => reinterpret(quantize(x) {quant=s, z})
//   s, z are constants that a quantized type can hold: integers of at most 32 bits (quantize: 16), finite positive scales in f32, f16 or
//   bf16. What stays of reinterprets between the two disappears by eliminate_reinterpret.
#include "lib/ops/arithmetic.h"
#include "lib/ops/quantize.h"
#include "lib/ops/quantize_linear.h"
#include "lib/ops/reinterpret.h"
#include "lib/ops/shape_ops.h"
#include "passes/linear_quantization.h"

namespace onecard {

namespace {

bool dequantize_rule(Graph& graph, Node& node, const DequantizeLinear& op) {
  Value* codes = node.inputs[0];
  if (codes->type.quant) return false;
  const auto quant = linear_quantization(codes->type, codes->type.dtype, node.input(1), node.input(2), op.axis, op.block_size);
  if (!quant) return false;
  Value* y = emit(graph, node, Dequantize(), {with_quantization(graph, node, codes, quant)});
  if (const DType wanted = node.output()->type.dtype; wanted != DType::f32) {
    Cast narrow;
    narrow.to = wanted;
    y = emit(graph, node, narrow, {y});
  }
  take_over(graph, node.output(), y);
  return true;
}

bool quantize_rule(Graph& graph, Node& node, const QuantizeLinear& op) {
  Value* x = node.inputs[0];
  const DType dtype = node.output()->type.dtype;
  if (x->type.quant || x->type.dtype == DType::f64 || !is_arithmetic_float(x->type.dtype) || info(dtype).bits > 16) return false;
  Quantize typed;
  typed.quant = linear_quantization(x->type, dtype, node.input(1), node.input(2), op.axis, op.block_size);
  typed.dtype = dtype;
  if (!typed.quant) return false;
  return replace_node(graph, node, Reinterpret(), {emit(graph, node, typed, {x})});
}

}  // namespace

int64_t type_linear_quantization(Graph& graph, PassContext&) {
  const int64_t quantized = rewrite_each<QuantizeLinear>(graph, quantize_rule);  // first: what is dequantized is then typed already
  return quantized + rewrite_each<DequantizeLinear>(graph, dequantize_rule);
}

}  // namespace onecard
