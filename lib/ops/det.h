#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Determinants of the square matrices in the last two axes.
struct Det : OpBase<Det> {
  static constexpr std::string_view kName = "det";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
