#pragma once
#include "lib/ops/activation.h"
#include "lib/ops/binary.h"

namespace onecard {

// y = quantize(activation(a fn b)) of the real numbers two quantized tensors stand for, each with one scale; broadcasts as Binary.
// A sum of 8-bit values after which nothing, relu or clip comes is rounded as ONNX Runtime's QLinearAdd does, in f32 with fused products:
//   y = saturate(round_half_even(a ra + (b rb + c))), ra = a_scale / y_scale, rb likewise, c = y_zero - (ra a_zero + rb b_zero).
// fn: add, sub, mul, div, max or min. y is `output_dtype` quantized by `output`.
struct QuantizedBinary : OpBase<QuantizedBinary> {
  static constexpr std::string_view kName = "quantized_binary";
  BinaryFn fn = BinaryFn::add;
  Activation activation;
  QuantizationPtr output;
  DType output_dtype = DType::i8;
  static constexpr auto kFields = std::tuple{field("fn", &QuantizedBinary::fn), field("activation", &QuantizedBinary::activation),
                                             field("output", &QuantizedBinary::output), field("output_dtype", &QuantizedBinary::output_dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
};

// The numbers of that formula.
struct SumOfCodes {
  float a_ratio, b_ratio, shift, low, high;  // bounds on the code before it is rounded, of f and of the type
  float operator()(float a, float b) const;
};
std::optional<SumOfCodes> sum_of_codes(const QuantizedBinary& op, const TensorType& a, const TensorType& b);

}  // namespace onecard
