#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// (x - mean) / sqrt(variance + epsilon) * scale + bias, with the statistics of each sample's group of channels (axis 1).
// Inputs: x, scale, bias (both one per channel). groups 0: every channel is a group (ONNX InstanceNormalization).
struct GroupNorm : OpBase<GroupNorm> {
  static constexpr std::string_view kName = "group_norm";
  int64_t groups = 0;
  float epsilon = 1e-5f;
  static constexpr auto kFields = std::tuple{field("groups", &GroupNorm::groups), field("epsilon", &GroupNorm::epsilon)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;       // InstanceNormalization, GroupNormalization
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
