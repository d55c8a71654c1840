#pragma once
#include <cstring>

#include "lib/ops/operands.h"
#include "lib/ops/pool.h"
#include "lib/ops/quantize.h"
#include "lib/ops/window.h"

namespace onecard {

// What Pool and MaxPoolIndices have in common: one window over every plane.
struct PoolWindow {
  Window window;
  std::span<const int64_t> kernel;
  Rounding rounding = Rounding::down;
};
// The result's shape; raises model when the window does not fit x.
Shape pool_shape(const PoolWindow& w, const Shape& x);
// The window without the enlargement that rounding up needs.
ConvGeometry pool_base_geometry(const PoolWindow& w, const Dims& x);
// The element type max pooling accepts; raises model for others.
void check_max_type(const TensorType& x);
// Type and quantization of an average or Lp norm of x, without a shape; raises model unless x is floats, or quantized with one scale where
// the result's quantization is given.
TensorType averaged_type(PoolFn fn, const TensorType& x, const QuantizationPtr& output, DType output_dtype);
// Runs `average(real)` for a result in f32 and stores it quantized so.
template <class F>
void store_quantized(Tensor& y, DType dtype, const QuantizationPtr& quant, F&& average) {
  Tensor real(DType::f32, y.dims());
  average(real);
  const Tensor stored = quantize_tensor(real, dtype, quant);
  if (stored.bytes() > 0) std::memcpy(y.raw(), stored.raw(), static_cast<size_t>(stored.bytes()));
}
// A quantized average as one of floats between dequantize and quantize.
template <class O>
std::vector<Value*> decomposed_average(const O& op, Graph& graph, Node& node) {
  if (!op.output) return {};
  const NodesBefore before(graph, node);
  Quantize back;
  back.quant = op.output;
  back.dtype = op.output_dtype;
  O plain = op;
  plain.output = nullptr;
  plain.output_dtype = O().output_dtype;
  return {before.add(back, {before.add(plain, {before.add(Dequantize(), {node.inputs[0]})})})};
}
// Below every number of the type.
double lowest_number(DType t);

// The p of an Lp pooling, a float in opset 1; raises model when it is not whole.
int64_t onnx_norm(const OnnxNode& node);
// The attributes common to the ONNX poolings.
template <class O>
O pool_fields(const OnnxNode& node) {
  O op;
  op.kernel = node.needed_attr<std::vector<int64_t>>("kernel_shape");
  op.auto_pad = onnx_auto_pad(node);
  op.strides = onnx_list(node, "strides", 1);
  op.dilations = onnx_list(node, "dilations", 1);
  if (op.auto_pad == AutoPad::notset) op.pads = onnx_list(node, "pads", 0);
  op.rounding = node.attr<int64_t>("ceil_mode", 0) != 0 ? Rounding::up : Rounding::down;
  return op;
}
template <class O>
void put_pool_fields(OnnxForm& form, const O& op) {
  form.attributes["kernel_shape"] = op.kernel;
  put_list(form, "strides", op.strides);
  put_list(form, "dilations", op.dilations);
  if (op.auto_pad == AutoPad::notset) put_list(form, "pads", op.pads);
  put_auto_pad(form, op.auto_pad);
  if (op.rounding == Rounding::up) form.attributes["ceil_mode"] = int64_t{1};
}
template <class O>
PoolWindow pool_window(const O& op) {
  return {{op.strides, op.dilations, op.pads, op.auto_pad}, op.kernel, op.rounding};
}

}  // namespace onecard
