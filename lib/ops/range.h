#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// start, start + delta, … up to limit, which is not reached. Inputs: start, limit, delta, scalars of one numeric type.
struct Range : OpBase<Range> {
  static constexpr std::string_view kName = "range";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  std::optional<std::vector<Dim>> infer_contents(const InferContext&) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
