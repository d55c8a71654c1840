#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// 1 at the first largest element along `axis`, 0 elsewhere.
struct Hardmax : OpBase<Hardmax> {
  static constexpr std::string_view kName = "hardmax";
  int64_t axis = -1;
  static constexpr auto kFields = std::tuple{field("axis", &Hardmax::axis)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
