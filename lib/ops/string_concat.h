#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// a followed by b, elementwise with broadcasting.
struct StringConcat : OpBase<StringConcat> {
  static constexpr std::string_view kName = "string_concat";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
