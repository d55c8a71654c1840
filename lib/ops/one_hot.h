#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// A new axis of `depth` that holds values[1] at the index given and values[0] elsewhere. Inputs: indices, depth (one number), values (two).
struct OneHot : OpBase<OneHot> {
  static constexpr std::string_view kName = "one_hot";
  int64_t axis = -1;
  static constexpr auto kFields = std::tuple{field("axis", &OneHot::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
