#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// y[..i..] = x[..indices[..i..]..] along `axis`; y has the extents of `indices`. Inputs: x, indices.
struct GatherElements : OpBase<GatherElements> {
  static constexpr std::string_view kName = "gather_elements";
  int64_t axis = 0;
  static constexpr auto kFields = std::tuple{field("axis", &GatherElements::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
