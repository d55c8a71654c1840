#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// Ones on diagonal k (above the main one when positive), zeros elsewhere, with the extents of the matrix x.
struct EyeLike : OpBase<EyeLike> {
  static constexpr std::string_view kName = "eye_like";
  DType dtype = DType::f32;
  int64_t k = 0;
  static constexpr auto kFields = std::tuple{field("dtype", &EyeLike::dtype), field("k", &EyeLike::k)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
