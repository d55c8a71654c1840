// quantize(f(dequantize(a) op dequantize(b)), q) => quantized_binary(a, b) {fn=op, activation=f, output=q}
//   op: add, sub, mul, div, max, min; f: none, relu or clip; a, b 8-bit with one scale, q 8-bit with one scale; what lies between is read by
//   nothing else.
#include "lib/ops/quantize.h"
#include "lib/ops/quantized_binary.h"
#include "passes/match.h"

namespace onecard {

namespace {

Value* codes_of(const Value* v) {
  const Node* node = producer_of<Dequantize>(v);
  if (!node) return nullptr;
  const TensorType& x = node->inputs[0]->type;
  return info(x.dtype).bits == 8 && x.quant->axis < 0 ? node->inputs[0] : nullptr;
}

bool rule(Graph& graph, Node& node, const Quantize& op) {
  if (!op.quant || op.quant->axis >= 0 || info(op.dtype).bits != 8) return false;
  QuantizedBinary fused;
  const Value* v = node.inputs[0];
  if (const Node* f = sole_producer<Unary>(graph, v)) {
    fused.activation = f->as<Unary>()->f;
    if (fused.activation.fn != Fn::relu && fused.activation.fn != Fn::clip) return false;
    v = f->inputs[0];
  }
  const Node* binary = sole_producer<Binary>(graph, v);
  if (!binary) return false;
  Value *a = codes_of(binary->inputs[0]), *b = codes_of(binary->inputs[1]);
  if (!a || !b) return false;
  fused.fn = binary->as<Binary>()->fn;
  fused.output = op.quant;
  fused.output_dtype = op.dtype;
  return inferred(fused, {a, b}) && replace_node(graph, node, std::move(fused), {a, b});
}

}  // namespace

int64_t fuse_quantized_binary(Graph& graph, PassContext&) { return rewrite_each<Quantize>(graph, rule); }

}  // namespace onecard
