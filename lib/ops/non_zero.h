#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// The indices of the elements of x that are not zero, in row-major order, as i64 [rank, count].
struct NonZero : OpBase<NonZero> {
  static constexpr std::string_view kName = "non_zero";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
