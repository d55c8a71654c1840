#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX QuantizeLinear on plain tensors: y = saturate(round_half_even(x / scale) + zero_point) as bare codes; the typed form is Quantize.
// Inputs: x, scale (one, one per index of `axis`, or one per `block_size` indices of it), zero_point (optional; its type is y's).
struct QuantizeLinear : OpBase<QuantizeLinear> {
  static constexpr std::string_view kName = "quantize_linear";
  int64_t axis = 1, block_size = 0;
  int64_t saturate = 1;                               // 0: 8-bit floats out of range become infinity or NaN
  DType output_dtype = DType::u8;                     // without a zero point
  static constexpr auto kFields = std::tuple{field("axis", &QuantizeLinear::axis), field("block_size", &QuantizeLinear::block_size), field("saturate", &QuantizeLinear::saturate),
      field("output_dtype", &QuantizeLinear::output_dtype)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// ONNX DequantizeLinear on plain tensors: y = (x - zero_point) * scale in the type of scale; the typed form is Dequantize.
// Inputs: x, scale, zero_point (optional), as of QuantizeLinear.
struct DequantizeLinear : OpBase<DequantizeLinear> {
  static constexpr std::string_view kName = "dequantize_linear";
  int64_t axis = 1, block_size = 0;
  static constexpr auto kFields = std::tuple{field("axis", &DequantizeLinear::axis), field("block_size", &DequantizeLinear::block_size)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
