#pragma once
#include "lib/ops/activation.h"
#include "lib/ops/binary.h"

namespace onecard {

// y = quantize(activation(a fn b)) of the real numbers two quantized tensors stand for, each with one scale; broadcasts as Binary.
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

}  // namespace onecard
