#include "lib/ops/quantized_binary.h"

#include <algorithm>
#include <cmath>

#include "lib/ops/broadcast_index.h"
#include "lib/ops/integer_range.h"
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

bool is_byte(DType t) { return t == DType::i8 || t == DType::u8; }

}  // namespace

float SumOfCodes::operator()(float a, float b) const {
  return std::nearbyint(std::min(std::max(std::fma(a, a_ratio, std::fma(b, b_ratio, shift)), low), high));
}

std::optional<SumOfCodes> sum_of_codes(const QuantizedBinary& op, const TensorType& a, const TensorType& b) {
  const Fn f = op.activation.fn;
  if (op.fn != BinaryFn::add || !is_byte(a.dtype) || !is_byte(b.dtype) || !is_byte(op.output_dtype) ||
      (f != Fn::identity && f != Fn::relu && f != Fn::clip))
    return std::nullopt;
  const float scale = op.output->scale[0], zero = static_cast<float>(op.output->zero_point[0]);
  const IntegerRange range = integer_range(op.output_dtype);
  SumOfCodes s{a.quant->scale[0] / scale, b.quant->scale[0] / scale, 0, static_cast<float>(range.low), static_cast<float>(range.high)};
  const float b_zero = s.b_ratio * static_cast<float>(b.quant->zero_point[0]);
  s.shift = zero - std::fma(s.a_ratio, static_cast<float>(a.quant->zero_point[0]), b_zero);
  if (f == Fn::relu) s.low = std::max(s.low, zero);
  if (f == Fn::clip)
    s.low = std::max(s.low, std::nearbyint(op.activation.alpha / scale) + zero),
    s.high = std::min(s.high, std::nearbyint(op.activation.beta / scale) + zero);
  return s;
}

std::vector<TensorType> QuantizedBinary::infer(const InferContext& in) const {
  require(takes(fn), ErrorKind::model, kBinaryFnNames[static_cast<size_t>(fn)], " has no quantized form");
  for (const size_t i : {0, 1}) {
    const TensorType& x = tensor_type(in, i);
    require(x.quant && x.quant->axis < 0 && x.quant->scale.size() == 1, ErrorKind::model, "expects a tensor quantized with one scale, got ", x);
  }
  require(output && output->axis < 0, ErrorKind::model, "the result has no quantization of one scale");
  TensorType y(output_dtype, broadcast(in.shape(0), in.shape(1)), output);
  require_quantization(y, output_dtype, *output);
  return {y};
}

void QuantizedBinary::reference(Inputs in, Outputs out) const {
  if (const auto sum = sum_of_codes(*this, in[0]->type(), in[1]->type())) {
    Tensor& y = allocated(out[0], output_dtype, broadcast_dims(in[0]->dims(), in[1]->dims()), output);
    return for_each_broadcast(y.dims(), std::array{in[0]->dims(), in[1]->dims()}, [&](int64_t i, const std::array<int64_t, 2>& at) {
      y.set_int(i, static_cast<int64_t>((*sum)(static_cast<float>(in[0]->int_at(at[0])), static_cast<float>(in[1]->int_at(at[1])))));
    });
  }
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
