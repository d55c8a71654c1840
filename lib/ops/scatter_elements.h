#pragma once
#include "lib/ops/scatter.h"

namespace onecard {

// x with x[..indices[..i..]..] along `axis` replaced by, or combined with, updates[..i..]. Inputs: x, indices, updates.
struct ScatterElements : OpBase<ScatterElements> {
  static constexpr std::string_view kName = "scatter_elements";
  int64_t axis = 0;
  ScatterReduction reduction = ScatterReduction::none;
  static constexpr auto kFields = std::tuple{field("axis", &ScatterElements::axis), field("reduction", &ScatterElements::reduction)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
