#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// (x - mean) / sqrt(var + epsilon) * scale + bias with given statistics, per channel (axis 1). Inputs: x, scale, bias, mean, var.
struct BatchNorm : OpBase<BatchNorm> {
  static constexpr std::string_view kName = "batch_norm";
  float epsilon = 1e-5f;
  static constexpr auto kFields = std::tuple{field("epsilon", &BatchNorm::epsilon)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// Over the axes from `axis` on: (x - mean) / sqrt(variance + epsilon) * scale + bias. Inputs: x, scale (shape of those axes, or broadcastable),
// bias (optional). One output: the optional Mean and InvStdDev of ONNX are expanded at import.
struct LayerNorm : OpBase<LayerNorm> {
  static constexpr std::string_view kName = "layer_norm";
  int64_t axis = -1;
  float epsilon = 1e-5f;
  static constexpr auto kFields = std::tuple{field("axis", &LayerNorm::axis), field("epsilon", &LayerNorm::epsilon)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

// x / sqrt(mean(x^2) + epsilon) * scale over the axes from `axis` on. Inputs: x, scale.
struct RmsNorm : OpBase<RmsNorm> {
  static constexpr std::string_view kName = "rms_norm";
  int64_t axis = -1;
  float epsilon = 1e-5f;
  static constexpr auto kFields = std::tuple{field("axis", &RmsNorm::axis), field("epsilon", &RmsNorm::epsilon)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // RMSNormalization (opset 23)
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
