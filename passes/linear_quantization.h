#pragma once
#include "passes/match.h"

namespace onecard {

// What codes of `dtype` in a tensor shaped as x mean, given ONNX scale and zero point (null: 0): nothing unless both are constants of
// finite positive scales that a quantized type can hold. One scale, one per index of `axis`, or one per `block` indices of it.
QuantizationPtr linear_quantization(const TensorType& x, DType dtype, const Value* scale, const Value* zero, int64_t axis, int64_t block);
// The same for one scale alone.
inline QuantizationPtr linear_quantization(const TensorType& x, DType dtype, const Value* scale, const Value* zero) {
  const auto quant = linear_quantization(x, dtype, scale, zero, 0, 0);
  return quant && quant->axis < 0 ? quant : nullptr;
}
// `codes` as values of quantized type, by a node before `at` where it is no constant.
Value* with_quantization(Graph& graph, Node& at, Value* codes, const QuantizationPtr& quant);

}  // namespace onecard
