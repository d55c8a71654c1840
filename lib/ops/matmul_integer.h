#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// ONNX MatMulInteger: exact sums of (a - a_zero) * (b - b_zero) in i32. Inputs: a, b, a_zero (optional: one, or one per row of a),
// b_zero (optional: one, or one per column of b); integers of 8 bits.
struct MatMulInteger : OpBase<MatMulInteger> {
  static constexpr std::string_view kName = "matmul_integer";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// ONNX QLinearMatMul: y = saturate(round_half_even(sum * a_scale * b_scale / y_scale) + y_zero), sum the exact one of MatMulInteger.
// Inputs: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; those of a one or one per row, of b one or one per column, of y one.
struct QLinearMatMul : OpBase<QLinearMatMul> {
  static constexpr std::string_view kName = "qlinear_matmul";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
