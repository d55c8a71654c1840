#include "lib/ops/quantized_binary.h"

#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/quantize.h"
#include "lib/ops/unary.h"

namespace onecard {
DEFINE_OP(QuantizedBinary)
namespace {

bool takes(BinaryFn fn) {
  return fn == BinaryFn::add || fn == BinaryFn::sub || fn == BinaryFn::mul || fn == BinaryFn::div || fn == BinaryFn::max || fn == BinaryFn::min;
}

Quantize quantize_of(const QuantizedBinary& op) {
  Quantize q;
  q.quant = op.output;
  q.dtype = op.output_dtype;
  return q;
}

}  // namespace

std::vector<TensorType> QuantizedBinary::infer(const InferContext& in) const {
  require(takes(fn), ErrorKind::model, kBinaryFnNames[static_cast<size_t>(fn)], " has no quantized form");
  for (const size_t i : {0, 1}) {
    const TensorType& x = tensor_type(in, i);
    require(x.quant && x.quant->axis < 0 && x.quant->scale.size() == 1, ErrorKind::model, "expects a tensor quantized with one scale, got ",
            x.text());
  }
  require(output && output->axis < 0, ErrorKind::model, "the result has no quantization of one scale");
  TensorType y(output_dtype, broadcast(in.shape(0), in.shape(1)), output);
  require_quantization(y, output_dtype, *output);
  return {y};
}

void QuantizedBinary::reference(Inputs in, Outputs out) const {
  const Tensor a = dequantize_tensor(*in[0]), b = dequantize_tensor(*in[1]);
  std::vector<Tensor> real = evaluate(Binary(fn), {&a, &b});
  if (!activation.is_identity()) real = evaluate(Unary(activation), {&real[0]});
  deliver(out[0], quantize_tensor(real[0], output_dtype, output));
}

std::vector<Value*> QuantizedBinary::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  Value* v = before.add(Binary(fn), {before.add(Dequantize(), {node.inputs[0]}), before.add(Dequantize(), {node.inputs[1]})});
  if (!activation.is_identity()) v = before.add(Unary(activation), {v});
  return {before.add(quantize_of(*this), {v})};
}

}  // namespace onecard
