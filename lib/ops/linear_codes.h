#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Importing operators that take and give integer codes with their scales: they become dequantize, the operator on real numbers,
// quantize, which the passes turn to integer forms.

// The real numbers of `codes`: DequantizeLinear. zero may be null: 0.
Value* dequantized(const OnnxNode& node, Value* codes, Value* scale, Value* zero, int64_t axis = 1);
// Integer codes of real numbers: QuantizeLinear, of zero's type, or of `otherwise` when it is null.
Value* quantized(const OnnxNode& node, Value* real, Value* scale, Value* zero, DType otherwise);
// What an ONNX operator makes of these inputs with this node's attributes; raises unsupported-model when there is no such operator here.
Value* import_as(const OnnxNode& node, std::string_view op_type, std::vector<Value*> in, int64_t opset = 17, std::string_view domain = "");
// Input i, codes, as real numbers by the inputs i + 1 and i + 2.
Value* dequantized_input(const OnnxNode& node, size_t i, int64_t axis = 1);
// As the node's only output, by the scale and zero point in inputs i and i + 1.
std::vector<Value*> quantized_output(const OnnxNode& node, Value* real, size_t i);
// x with its channels, axis 1, moved to the end, or back from there; x must have a rank.
Value* channels_last(const OnnxNode& node, Value* x);
Value* channels_first(const OnnxNode& node, Value* x);

}  // namespace onecard
