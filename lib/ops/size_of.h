#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The number of elements of x, as an i64 scalar.
struct SizeOf : OpBase<SizeOf> {
  static constexpr std::string_view kName = "size";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
